//! What is looked at as something to send and to restore: "show me what you saw".

use super::super::screen::Context;
use super::Viewer;
use super::port::{Port, Vacant};
use super::words::parts;
use crate::case::attached::ShownPart;
use crate::case::content::Point;
use crate::node::api;
use crate::node::api::{AttachedImage, AttachedView};
use crate::study::pixels::Window;
use crate::view::attached::{part_of, pose_showing};
use crate::view::layout::Layout;
use crate::view::mapping::Size;
use crate::view::pose::{Orientation, Pose};

/// What was looked at before a colleague's view was.
pub struct Before {
    layout: Layout,
    ports: Vec<Port>,
    active: usize,
    /// What was looked at before its three planes were, if it was them.
    before_planes: Option<BeforePlanes>,
}

/// What was looked at before the three planes were.
pub type BeforePlanes = (Layout, Vec<Port>, usize);

impl Before {
    /// All viewports that are kept here.
    pub fn ports(&mut self) -> impl Iterator<Item = &mut Port> {
        self.ports.iter_mut().chain(self.before_planes.iter_mut().flat_map(|(_, ports, _)| ports))
    }
}

impl Viewer {
    /// What is on the screen now; none without an image. Of a cut goes the slice where its series stands.
    pub fn attached(&self, context: &Context<'_>) -> Option<AttachedView> {
        let sizes = self.picture_sizes(context);
        let viewports: Vec<Option<AttachedImage>> =
            self.ports.iter().zip(sizes).map(|(port, size)| self.attached_image(port, size)).collect();
        viewports.iter().any(Option::is_some).then(|| AttachedView {
            rows: self.layout.rows().into(),
            columns: self.layout.columns().into(),
            // At most six viewports.
            active: self.active as u32,
            viewports,
        })
    }

    fn attached_image(&self, port: &Port, size: Size) -> Option<AttachedImage> {
        let stack = self.stack_of(port)?;
        let key = self.key_of(port)?;
        let pose = if port.cut.is_some() { Pose::default() } else { port.pose };
        Some(AttachedImage {
            study: key.study.to_string(),
            series_instance_uid: stack.series_instance_uid.to_string(),
            image: key.sop_instance_uid.to_string(),
            frame: key.frame,
            window: port.window.to_string(),
            quarter_turns: pose.orientation.quarter_turns().into(),
            mirrored: pose.orientation.is_mirrored(),
            inverted: pose.inverted,
            part: part_of(&pose, size)
                .map(|part| api::ShownPart { span: part.span, centre: (part.centre.column, part.centre.row) }),
        })
    }

    /// Shows what a colleague saw; what was looked at before is kept. How many of its images are not here.
    pub fn restore(&mut self, view: &AttachedView, context: &mut Context<'_>) -> usize {
        self.keep_before();
        self.before_planes = None;
        let active = view.active as usize; // at most nine viewports
        let (viewports, active) = match format!("{}x{}", view.rows, view.columns).parse::<Layout>() {
            Ok(layout) => {
                self.layout = layout;
                (view.viewports.as_slice(), active)
            }
            // A layout of later: the viewport that was active is shown alone.
            Err(_) => {
                self.layout = Layout::Single;
                (view.viewports.get(active..=active).unwrap_or_default(), 0)
            }
        };
        let vacant = |number: usize| match viewports.get(number).cloned().flatten() {
            Some(image) => Vacant::Awaits(Box::new(image)),
            None => Vacant::Kept,
        };
        let ports = (0..self.layout.viewports()).map(|number| Port::without_series(vacant(number)));
        self.ports = ports.collect();
        self.active = active.min(self.ports.len().saturating_sub(1));
        self.fill_restored(context);
        self.want(context);
        self.ports.iter().filter(|port| port.stack.is_none() && port.awaits().is_some()).count()
    }

    /// Shows what colleagues saw, in the viewports that wait for it, as far as it is there by now.
    pub(super) fn fill_restored(&mut self, context: &Context<'_>) {
        let sizes = self.picture_sizes(context);
        for (number, size) in (0..self.ports.len()).zip(sizes) {
            let awaited = self.ports.get(number).filter(|port| port.stack.is_none()).and_then(Port::awaits);
            let showing = awaited.and_then(|image| self.port_showing(image, size));
            if let (Some(showing), Some(port)) = (showing, self.ports.get_mut(number)) {
                *port = showing;
            }
        }
    }

    /// Keeps what is looked at now, unless something is kept already, for [`Self::go_back`].
    pub(super) fn keep_before(&mut self) {
        let now = || Before {
            layout: self.layout,
            ports: self.ports.clone(),
            active: self.active,
            before_planes: self.before_planes.clone(),
        };
        self.before_restored.get_or_insert_with(now);
    }

    /// Goes back to what was looked at before; `false` if nothing was restored.
    pub fn go_back(&mut self, context: &mut Context<'_>) -> bool {
        let Some(before) = self.before_restored.take() else { return false };
        (self.layout, self.ports, self.active) = (before.layout, before.ports, before.active);
        self.before_planes = before.before_planes;
        self.fill_ports(context);
        self.want(context);
        true
    }

    fn port_showing(&self, image: &AttachedImage, size: Size) -> Option<Port> {
        let mut stacks = self.stacks.iter().enumerate().filter(|(_, stack)| *stack.study == *image.study);
        let (stack, at) =
            stacks.find_map(|(number, stack)| Some((number, stack.position(&image.image, image.frame)?)))?;
        let mut port = Port::default();
        port.show(Some(stack));
        port.at = at;
        port.window = image.window.parse().unwrap_or(Window::Default);
        let pose = Pose {
            orientation: Orientation::new(image.quarter_turns, image.mirrored),
            inverted: image.inverted,
            ..Pose::default()
        };
        let part = image
            .part
            .map(|part| ShownPart { span: part.span, centre: Point { column: part.centre.0, row: part.centre.1 } });
        port.pose = pose_showing(part, pose, size);
        Some(port)
    }

    /// How large the pictures of the viewports are, in screen pixels.
    fn picture_sizes(&self, context: &Context<'_>) -> Vec<Size> {
        let areas = self.areas(self.area).into_iter();
        areas.map(|area| context.dots.size(area.map(|area| parts(area)[1]).unwrap_or_default())).collect()
    }
}
