//! Reformat: a cut through a volume of 512 x 512 x 400 voxels, all of its pixels interpolated.
//!
//! The library alone, in this process and on all cores: no file and no screen, but with the window that makes a picture
//! of the values. The volume is the demo's
//! patient in thin slices; cuts lie all over it, in an order in which no two are neighbours. Scipy's `map_coordinates` makes coronal
//! cuts of the same size through as many voxels, with the coordinates already worked out, on the one core that it uses.

use std::process::Command;
use std::time::Instant;

use overread::study::pixels::{Frame, Image, Window};
use overread::study::plane::{Plane, minus};
use overread::study::synthetic;
use overread::view::mpr::{Cut, Projection, Reformat, Slab};
use overread::view::stack::Stack;
use overread::view::volume::Volume;
use rayon::prelude::*;

use crate::Outcome;
use crate::table::{Figure, Peer, Samples, Table};

const SLICES: u32 = 400;

/// Distance of slices, so that the volume is about as high as it is wide.
const STEP_MM: f64 = 0.8;

const SEED: u64 = 7;

const ROUNDS: u32 = 101;

const SLAB_ROUNDS: u32 = 21;

/// A frame of a screen that draws sixty a second.
const GOAL_MS: f64 = 16.0;

/// What scipy needs for the same.
const SCIPY: &str = "
import time, numpy
from scipy.ndimage import map_coordinates
voxels = numpy.random.default_rng(7).integers(-1000, 2000, (400, 512, 512), dtype=numpy.int16)
height, columns = ROWS, 512
rows, across = numpy.mgrid[0:height, 0:columns]
for cut in range(11):
    where = [rows * (399 / height), numpy.full(rows.shape, 20.25 + 40 * cut), across]
    start = time.perf_counter()
    map_coordinates(voxels, where, order=1, output=numpy.float32)
    print((time.perf_counter() - start) * 1000)
";

pub fn measure(table: &mut Table) -> Outcome<()> {
    let (volume, like) = volume(table)?;
    for cut in [Cut::Axial, Cut::Coronal, Cut::Sagittal] {
        let planes = cut.planes(volume.stack())?;
        // 211 is prime to every number of planes: all places, none after its neighbour.
        let plane = |round: u32| planes.plane(round * 211 % planes.count()).ok_or("a cut has no such plane");
        let cuts =
            (0..ROUNDS).map(|round| timed((&volume, &like), &plane(round)?, None)).collect::<Outcome<Vec<_>>>()?;
        let (columns, height) = (plane(0)?.columns(), plane(0)?.rows());
        let figure = Figure::new(format!("reformat, {} {columns} x {height}", cut.name()), "ms", Samples::of(cuts));
        let peers = match cut {
            Cut::Coronal => scipy(height, table)?,
            _ => Vec::new(),
        };
        table.add(figure.goal(GOAL_MS).beside(peers));
    }
    let middle = volume.stack().plane(&volume.stack().places()[SLICES as usize / 2]);
    let oblique = Plane::stated([0.0; 3], [0.8, 0.0, -0.6, 0.36, 0.8, 0.48], [0.74, 0.74], 512, 512)?;
    let oblique = oblique.moved(minus(middle.middle(), oblique.middle())).beside(&middle);
    let cuts = (0..ROUNDS).map(|_| timed((&volume, &like), &oblique, None)).collect::<Outcome<Vec<_>>>()?;
    table.add(Figure::new("reformat, oblique 512 x 512", "ms", Samples::of(cuts)).goal(GOAL_MS));

    let planes = Cut::Axial.planes(volume.stack())?;
    let slab = Slab { thickness_mm: 10.0 * planes.step_mm(), projection: Projection::Maximum };
    let plane = |round: u32| planes.plane(20 + round * 17).ok_or("a cut has no such plane");
    let cuts = (0..SLAB_ROUNDS)
        .map(|round| timed((&volume, &like), &plane(round)?, Some(slab)))
        .collect::<Outcome<Vec<_>>>()?;
    table.add(Figure::new("reformat, axial MIP of 10 slices", "ms", Samples::of(cuts)).goal(GOAL_MS));
    Ok(())
}

/// The demo's patient as a volume; putting a slice into it is measured on the way.
fn volume(table: &mut Table) -> Outcome<(Volume, Frame)> {
    let made = (0..SLICES).into_par_iter().map(|index| synthetic::slice(SEED, index, SLICES));
    let files = made.collect::<Result<Vec<_>, _>>()?;
    let images = files.iter().map(|file| Image::read(file)).collect::<Result<Vec<_>, _>>()?;
    let first = Plane::of(images.first().ok_or("there are no slices")?.header(), 1)?;
    let planes: Vec<Plane> = (0..SLICES).map(|slice| first.moved([0.0, 0.0, -STEP_MM * f64::from(slice)])).collect();
    let mut volume = Volume::of(Stack::of(&planes)?)?;
    let mut added = Vec::new();
    for (slice, (image, plane)) in images.iter().zip(&planes).enumerate() {
        let frame = image.frame(1)?;
        let start = Instant::now();
        let values = frame.values_without_padding().ok_or("the slices have colours")?;
        volume.insert(slice, plane, &values, frame.unit())?;
        added.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    let mib = volume.bytes() as f64 / f64::from(1 << 20);
    table.add(Figure::new("reformat, a decoded slice into the volume", "ms", Samples::of(added)));
    table.add(Figure::new(format!("reformat, memory of {SLICES} slices"), "MiB", Samples::of([mib])));
    let like = images.first().ok_or("there are no slices")?.frame(1)?;
    Ok((volume, like))
}

fn timed((volume, like): (&Volume, &Frame), plane: &Plane, slab: Option<Slab>) -> Outcome<f64> {
    let start = Instant::now();
    let reformat = Reformat::of(volume, plane, slab)?;
    reformat.picture(like, Window::Default)?;
    let ms = start.elapsed().as_secs_f64() * 1000.0;
    if reformat.values.iter().all(|value| value.is_nan()) {
        return Err("a cut lies outside of the volume".into());
    }
    Ok(ms)
}

fn scipy(rows: u32, table: &mut Table) -> Outcome<Vec<Peer>> {
    let output = Command::new("python3").args(["-c", &SCIPY.replace("ROWS", &rows.to_string())]).output();
    let Ok(output) =
        output.map_err(|_| ()).and_then(|output| if output.status.success() { Ok(output) } else { Err(()) })
    else {
        table.pass_over("scipy is not installed".to_owned());
        return Ok(Vec::new());
    };
    let printed = String::from_utf8(output.stdout)?;
    let ms = printed.lines().map(str::parse).collect::<Result<Vec<f64>, _>>()?;
    Ok(vec![Peer { name: "scipy map_coordinates".to_owned(), samples: Samples::of(ms) }])
}
