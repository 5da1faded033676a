//! The view that goes with a message, between programs and the case.

use super::api::{self, Failure, FailureCode};
use super::core::Node;
use crate::case::attached::{AttachedImage, AttachedView, AttachedViewport, ShownPart};
use crate::case::content::{ImageRef, Point};
use crate::encoding::id::CaseId;
use crate::encoding::text::shown;
use crate::study::pixels::Window;

impl Node {
    /// A view as it goes into the case; its studies must be there. Limits are checked where it is written.
    pub fn view_to_attach(&mut self, case: CaseId, view: api::AttachedView) -> Result<AttachedView, Failure> {
        let viewports = view.viewports.into_iter().map(|image| {
            let shown = image.map(|image| self.image_to_attach(case, image)).transpose()?;
            Ok(AttachedViewport { shown })
        });
        let viewports = viewports.collect::<Result<_, Failure>>()?;
        Ok(AttachedView { rows: view.rows, columns: view.columns, active: view.active, viewports })
    }

    fn image_to_attach(&mut self, case: CaseId, image: api::AttachedImage) -> Result<AttachedImage, Failure> {
        let study = self.study_in_case(case, &image.study)?;
        let window: Window = image
            .window
            .parse()
            .map_err(|error| Failure::new(FailureCode::WrongUse, format!("This view cannot be attached: {error}.")))?;
        Ok(AttachedImage {
            image: ImageRef { study, sop_instance_uid: image.image, frame: image.frame },
            series_instance_uid: image.series_instance_uid,
            window: window.into(),
            quarter_turns: image.quarter_turns,
            mirrored: image.mirrored,
            inverted: image.inverted,
            part: image.part.map(|part| {
                let (column, row) = part.centre;
                ShownPart { span: part.span, centre: Point { column, row } }
            }),
        })
    }
}

/// A view as programs see it.
pub(super) fn attached_view(view: &AttachedView) -> api::AttachedView {
    let image = |viewport: &AttachedViewport| {
        let AttachedImage { image, series_instance_uid, window, quarter_turns, mirrored, inverted, part } =
            viewport.shown.as_ref()?;
        Some(api::AttachedImage {
            study: image.study.to_string(),
            series_instance_uid: shown(series_instance_uid).into_owned(),
            image: shown(&image.sop_instance_uid).into_owned(),
            frame: image.frame,
            // A preset that this program does not know is shown as the file wants it.
            window: window.window().to_string(),
            quarter_turns: *quarter_turns,
            mirrored: *mirrored,
            inverted: *inverted,
            part: part.map(|part| api::ShownPart { span: part.span, centre: (part.centre.column, part.centre.row) }),
        })
    };
    api::AttachedView {
        rows: view.rows,
        columns: view.columns,
        active: view.active,
        viewports: view.viewports.iter().map(image).collect(),
    }
}
