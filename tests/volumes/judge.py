"""Judges reformats: the same cuts through the same files, by pydicom's values and scipy's interpolation.

Arguments: a folder of DICOM files, and a folder with `cuts.json` and the values of each cut. Prints one line a cut;
exits 1 if any differs. "regular" series are interpolated by one map_coordinates in three dimensions, the others by one
in each of the two slices around a place, at their true positions.
"""

import json
import sys
from pathlib import Path

import numpy
import pydicom
from scipy.ndimage import map_coordinates


def main(source, folder):
    series = Series(Path(source))
    wrong = False
    for cut in json.loads((Path(folder) / "cuts.json").read_text()):
        shape = (cut["rows"], cut["columns"])
        ours = numpy.fromfile(Path(folder) / cut["file"], "<f4").reshape(shape)
        rows, columns = numpy.mgrid[0:shape[0], 0:shape[1]]
        origin, across, down = (numpy.array(cut[name]) for name in ("origin", "across", "down"))
        pixel = cut["pixel_mm"]
        places = origin + (columns[..., None] * across + rows[..., None] * down) * pixel
        normal = numpy.cross(across, down)
        sheets = [series.at(places + normal * mm, cut["regular"]) for mm in cut["sheets_mm"]]
        theirs = sheets[0]
        for sheet in sheets[1:]:
            theirs = numpy.fmax(theirs, sheet)
        both = numpy.isfinite(ours) & numpy.isfinite(theirs)
        edge = numpy.isfinite(ours) != numpy.isfinite(theirs)
        difference = numpy.abs(ours[both] - theirs[both]).max() if both.any() else numpy.inf
        span = numpy.ptp(ours[both]) if both.any() else 0
        good = difference <= cut["tolerance"] * span and edge.mean() < 0.01 and both.mean() > cut["least_share"]
        wrong |= not good
        print(f"{cut['name']}: {both.mean():.3f} of {shape[1]} x {shape[0]} compared, largest difference "
              f"{difference:.5f} of a span of {span:.0f}, {edge.sum()} on one side only: {'good' if good else 'WRONG'}")
    sys.exit(wrong)


class Series:
    def __init__(self, folder):
        files = [pydicom.dcmread(path) for path in folder.rglob("*") if path.is_file()]
        first = files[0]
        cosines = numpy.array(first.ImageOrientationPatient, float)
        self.across, self.down = cosines[:3], cosines[3:]
        self.normal = numpy.cross(self.across, self.down)
        files.sort(key=lambda file: numpy.dot(self.normal, numpy.array(file.ImagePositionPatient, float)))
        self.origins = numpy.array([file.ImagePositionPatient for file in files], float)
        self.heights = self.origins @ self.normal
        self.spacing = [float(mm) for mm in first.PixelSpacing]
        stored = numpy.stack([file.pixel_array for file in files]).astype(float)
        padding = first.get("PixelPaddingValue")
        self.none = (stored == padding).astype(float) if padding is not None else numpy.zeros(stored.shape)
        slope = numpy.array([float(file.get("RescaleSlope", 1)) for file in files])[:, None, None]
        intercept = numpy.array([float(file.get("RescaleIntercept", 0)) for file in files])[:, None, None]
        self.values = stored * slope + intercept

    def at(self, places, regular):
        height = places @ self.normal
        if regular:
            step = (self.heights[-1] - self.heights[0]) / (len(self.heights) - 1)
            where = [(height - self.heights[0]) / step, *self.pixel(places, self.origins[0])]
            where = [numpy.where(numpy.abs(axis - axis.round()) < 1e-7, axis.round(), axis) for axis in where]
            none = map_coordinates(self.none, where, order=1, mode="nearest") > 1e-9
            values = map_coordinates(self.values, where, order=1, mode="constant", cval=numpy.nan)
            return numpy.where(none, numpy.nan, values)
        below = numpy.clip(numpy.searchsorted(self.heights, height, "right") - 1, 0, len(self.heights) - 2)
        share = (height - self.heights[below]) / (self.heights[below + 1] - self.heights[below])
        share = numpy.where(numpy.abs(share - share.round()) < 1e-7, share.round(), share)
        near, far = self.on_slices(places, below), self.on_slices(places, below + 1)
        values = numpy.where(share == 0, near, numpy.where(share == 1, far, near + (far - near) * share))
        return numpy.where((share < 0) | (share > 1), numpy.nan, values)

    def on_slices(self, places, slices):
        found = numpy.full(slices.shape, numpy.nan)
        for number in numpy.unique(slices):
            here = slices == number
            where = self.pixel(places[here], self.origins[number])
            none = map_coordinates(self.none[number], where, order=1, mode="nearest") > 1e-9
            values = map_coordinates(self.values[number], where, order=1, mode="constant", cval=numpy.nan)
            found[here] = numpy.where(none, numpy.nan, values)
        return found

    def pixel(self, places, origin):
        return (places - origin) @ self.down / self.spacing[0], (places - origin) @ self.across / self.spacing[1]


main(*sys.argv[1:])
