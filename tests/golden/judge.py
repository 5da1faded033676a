"""judge.py: reads one job a line (JSON), judges it against the file itself, answers one line (JSON) a job.

Shares no code with the program. pydicom reads headers and native pixel data, dcmtk undoes JPEG and JPEG-LS; the
windows, tables, palettes and colours below are written after the text of PS3.3 (C.7.6.3, C.7.9, C.11) with numpy, and
millimetres, letters, angles and SUVs after the attributes' definitions. dcm2pnm is a second judge of grey levels.

A job: path, frame, stored (file and numpy type), photometric and shape of the program's values, pictures (file and
window), marks (shape, points, value, unit, statistics), scale, letters, suv. An answer: "stored" (which decoder, or
"none"), "wrong" (a list of differences, empty if all agree), "checked" (how many comparisons were made).
"""
import json
import math
import os
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import pydicom
from pydicom.uid import UID

warnings.filterwarnings("ignore")
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

# 0.5 for rounding to whole grey levels and nothing else.
GREY_TOLERANCE = 0.5 + 1e-6
COLOUR_TOLERANCE = 1.0
DCMTK_TOLERANCE = 1
# Different decoders of the same lossy codestream.
LOSSY_TOLERANCE = 2
JPEG = {f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 53, 55, 57, 70)}
JPEG_LS = {f"1.2.840.10008.1.2.4.{n}" for n in (80, 81)}
LOSSY = {f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 53, 55, 81, 91, 112)}
NATIVE = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"}
RLE = "1.2.840.10008.1.2.5"
PROJECTIONS = {"CR", "DX", "MG", "XA", "RF", "XRF", "RG", "IO", "PX"}
SCRATCH = tempfile.mkdtemp(dir=sys.argv[1])


def value(dataset, keyword):
    """An attribute's value, None if it is empty or absent."""
    try:
        found = dataset.get(keyword) if dataset is not None else None
    except Exception:
        return None
    return None if found is None or found == "" or (hasattr(found, "__len__") and len(found) == 0) else found


def floats(dataset, keyword):
    found = value(dataset, keyword)
    if found is None:
        return []
    try:
        return [float(one) for one in (found if hasattr(found, "__iter__") and not isinstance(found, str) else [found])]
    except ValueError:
        return []


def macro(dataset, frame, sequence):
    """The item of a functional group macro: the frame's own, the shared one, or the image itself."""
    own = value(dataset, "PerFrameFunctionalGroupsSequence")
    shared = value(dataset, "SharedFunctionalGroupsSequence")
    groups = ([own[frame - 1]] if own and frame <= len(own) else []) + ([shared[0]] if shared else [])
    for group in groups:
        if value(group, sequence):
            return value(group, sequence)[0]
    return dataset


def read(path):
    dataset = pydicom.dcmread(path, force=True)
    syntax = str(getattr(dataset.file_meta, "TransferSyntaxUID", "")) if hasattr(dataset, "file_meta") else ""
    if not syntax:
        dataset.ensure_file_meta()
        explicit = not dataset.is_implicit_VR if hasattr(dataset, "is_implicit_VR") else False
        syntax = "1.2.840.10008.1.2.1" if explicit else "1.2.840.10008.1.2"
        dataset.file_meta.TransferSyntaxUID = UID(syntax)
    return dataset, syntax


def stored_values(path, dataset, syntax, frame):
    """Stored values of a frame and who decoded them, or None: raw bits, no colour conversion."""
    if syntax in JPEG | JPEG_LS:
        plain = os.path.join(SCRATCH, "plain.dcm")
        tool = ["dcmdjpeg", "--conv-never"] if syntax in JPEG else ["dcmdjpls"]
        done = subprocess.run(tool + [path, plain], capture_output=True)
        if done.returncode != 0:
            return None, "none"
        array, _ = stored_values(plain, *read(plain), frame)
        return array, "dcmtk"
    try:
        if value(dataset, "PhotometricInterpretation") is None:
            dataset.PhotometricInterpretation = "MONOCHROME2"
        if value(dataset, "SamplesPerPixel") is None:
            dataset.SamplesPerPixel = 1
        if value(dataset, "PixelRepresentation") is None:
            dataset.PixelRepresentation = 0
        array = pydicom.pixels.pixel_array(dataset, index=frame - 1, raw=True)
    except Exception:
        return None, "none"
    if syntax not in NATIVE and syntax != RLE:
        return array, "a plugin of pydicom"
    bits = value(dataset, "BitsStored")
    if array.dtype.kind in "iu" and bits is not None and int(bits) < array.dtype.itemsize * 8:
        low = int(value(dataset, "HighBit") or int(bits) - 1) + 1 - int(bits)
        unused = array.dtype.itemsize * 8 - int(bits) - max(low, 0)
        # Only the stored bits; the sign is the highest of them.
        array = np.right_shift(np.left_shift(array, unused), unused + max(low, 0))
    return array, "pydicom"


class Table:
    """A lookup table item (C.11.1.1, C.11.2.1.1): clamps below and above."""

    def __init__(self, descriptor, data, signed):
        count, first, bits = (int(one) for one in descriptor)
        self.count = count % 65536 or 65536
        self.first = first - 65536 if signed and first > 32767 else first
        if isinstance(data, bytes):
            eight = bits == 8 and len(data) <= self.count + 1
            data = np.frombuffer(data, "u1" if eight else "<u2")
        self.data = np.asarray(data, dtype=np.int64).ravel() & 0xFFFF
        if bits == 8 and len(self.data) < self.count <= 2 * len(self.data):
            self.data = np.frombuffer(self.data.astype("<u2").tobytes(), "u1").astype(np.int64)
        self.data = self.data[: self.count]
        # The descriptor's bits are not to be trusted: those that the data needs, at least 8.
        self.highest = (1 << max(8, int(self.data.max()).bit_length())) - 1

    def __call__(self, values):
        return self.data[np.clip(np.floor(values) - self.first, 0, len(self.data) - 1).astype(np.int64)]


def table_of(item, signed):
    if item is None or value(item, "LUTDescriptor") is None or value(item, "LUTData") is None:
        return None
    return Table(item.LUTDescriptor, item.LUTData, signed)


def modality(dataset, frame, stored):
    """Modality values, their unit and whether they may be negative."""
    kind = value(dataset, "Modality") or ""
    signed = value(dataset, "PixelRepresentation") == 1
    stored = stored.astype(np.float64)
    if kind in ("XA", "RF", "XRF") and value(dataset, "PixelIntensityRelationship") in ("LOG", "DISP"):
        return stored, "1", signed
    sequence = value(dataset, "ModalityLUTSequence")
    table = table_of(sequence[0], signed) if sequence else None
    if table is not None:
        return table(stored).astype(np.float64), {"HU": "[hnsf'U]", "OD": "m{OD}"}.get(
            value(sequence[0], "ModalityLUTType"), "1"), False
    item = macro(dataset, frame, "PixelValueTransformationSequence")
    slope, intercept = floats(item, "RescaleSlope"), floats(item, "RescaleIntercept")
    if not slope or not intercept or slope[0] == 0:
        return stored, "1", signed
    stated = value(item, "RescaleType")
    names = {"HU": "[hnsf'U]", "HU_MOD": "[hnsf'U]", "OD": "m{OD}", "BQML": "Bq/ml", "GML": "g/ml", "MGML": "mg/ml",
             "PCT": "%", "PCNT": "%", "CNTS": "{counts}"}
    unit = names.get(stated, "1")
    if kind == "PT" and unit == "1":
        unit = names.get(value(dataset, "Units"), "1")
    elif kind == "CT" and stated is None:
        unit = "[hnsf'U]"
    return stored * slope[0] + intercept[0], unit, signed or intercept[0] < 0 or slope[0] < 0


def voi(window, values, dataset, frame, negative, padding):
    """Grey levels 0 to 255 as the standard's formulae give them, before rounding."""
    item = macro(dataset, frame, "FrameVOILUTSequence")
    pairs = [(c, w) for c, w in zip(floats(item, "WindowCenter"), floats(item, "WindowWidth")) if w > 0]
    tables = [Table(one.LUTDescriptor, one.LUTData, negative) for one in value(dataset, "VOILUTSequence") or []]
    function = value(item, "VOILUTFunction") or "LINEAR"
    if window == "default":
        window = "file:1" if pairs or tables else "auto"
    if window == "auto":
        seen = values[~padding & np.isfinite(values)]
        low, high = seen.min(), seen.max()
        return (values - low) / (high - low) * 255 if high > low else np.zeros(values.shape)
    if window.startswith("file:"):
        number = int(window[5:]) - 1
        if number >= len(pairs):
            table = tables[number - len(pairs)]
            return table(values) / table.highest * 255
        centre, width = pairs[number]
    else:
        width, centre = (float(part) for part in window.split("/"))
        function = "LINEAR"
    if function == "SIGMOID":
        return 255 / (1 + np.exp(-4 * (values - centre) / width))
    if function == "LINEAR" and width >= 1:
        low, high = centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
        middle = ((values - (centre - 0.5)) / (width - 1) + 0.5) * 255 if width > 1 else np.zeros(values.shape)
        return np.where(values <= low, 0, np.where(values > high, 255, middle))
    low, high = centre - width / 2, centre + width / 2
    return np.where(values <= low, 0, np.where(values > high, 255, ((values - centre) / width + 0.5) * 255))


def padding_of(dataset, stored):
    value_of, limit = floats(dataset, "PixelPaddingValue"), floats(dataset, "PixelPaddingRangeLimit")
    if not value_of:
        return np.zeros(stored.shape, bool)
    bits = int(value(dataset, "BitsAllocated") or 16)
    signed = value(dataset, "PixelRepresentation") == 1
    ends = [one - 65536 if signed and bits <= 16 and one > 32767 else one for one in (value_of + limit)[:2]]
    return (stored >= min(ends)) & (stored <= max(ends))


def palette(dataset, signed):
    names = [f"{colour}PaletteColorLookupTable" for colour in ("Red", "Green", "Blue")]
    tables = [Table(value(dataset, name + "Descriptor"), value(dataset, name + "Data"), signed) for name in names]
    wide = max(table.highest for table in tables) > 255
    return tables, wide


def rgb_of(values, photometric, bits):
    """C.7.6.3.1.2: the standard gives the way from RGB to YBR; this is its inverse."""
    eighth = np.round(np.clip(values.astype(np.float64) / (2**bits - 1) * 255, 0, 255))
    if photometric in ("RGB", "YBR_RCT", "YBR_ICT"):
        return eighth
    if photometric.startswith("YBR_FULL"):
        forward = np.array([[0.2990, 0.5870, 0.1140], [-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]])
        offset = np.array([0, 128, 128])
    else:
        forward = np.array([[0.2568, 0.5041, 0.0979], [-0.1482, -0.2910, 0.4392], [0.4392, -0.3678, -0.0714]])
        offset = np.array([16, 128, 128])
    return np.clip((eighth - offset) @ np.linalg.inv(forward).T, 0, 255)


def picture(window, dataset, frame, stored, photometric):
    """The picture before rounding, and how far from it a rounded one may be."""
    bits = int(value(dataset, "BitsStored") or 8)
    signed = value(dataset, "PixelRepresentation") == 1
    if photometric == "PALETTE COLOR":
        tables, wide = palette(dataset, signed)
        entries = np.stack([table(stored.astype(np.float64)) for table in tables], axis=-1)
        return (entries >> 8 if wide else entries & 255), 0
    if not photometric.startswith("MONOCHROME"):
        return rgb_of(stored, photometric, bits), COLOUR_TOLERANCE
    values, _, negative = modality(dataset, frame, stored)
    hidden = padding_of(dataset, stored)
    grey = np.clip(voi(window, values, dataset, frame, negative, hidden), 0, 255)
    grey = np.where(np.isnan(grey), 0, grey)
    shape = value(dataset, "PresentationLUTShape")
    if shape == "INVERSE" or (shape != "IDENTITY" and photometric == "MONOCHROME1"):
        grey = 255 - grey
    grey = np.where(hidden, 0, grey)
    types = [macro(dataset, frame, f"{kind}FrameTypeSequence") for kind in ("CTImage", "MRImage", "PET")]
    if photometric == "MONOCHROME2" and any(value(one, "PixelPresentation") == "COLOR" for one in types) and value(
            dataset, "RedPaletteColorLookupTableDescriptor"):
        tables, wide = palette(dataset, signed)
        entries = np.stack([table(stored.astype(np.float64)) for table in tables], axis=-1)
        colours = entries >> 8 if wide else entries & 255
        return np.where((stored >= tables[0].first)[..., None], colours, grey[..., None]), GREY_TOLERANCE
    return grey, GREY_TOLERANCE


def dcmtk_picture(path, syntax, frame, window, dataset, values, hidden):
    """What dcm2pnm makes of the same frame and window; None if it cannot."""
    tool = "dcmj2pnm" if syntax in JPEG else "dcml2pnm" if syntax in JPEG_LS else "dcm2pnm"
    item = macro(dataset, frame, "FrameVOILUTSequence")
    pairs = [(c, w) for c, w in zip(floats(item, "WindowCenter"), floats(item, "WindowWidth")) if w > 0]
    function = {"SIGMOID": ["+Wfs"], "LINEAR_EXACT": None}.get(value(item, "VOILUTFunction"), ["+Wfl"])
    if window == "default":
        window = "file:1" if pairs or value(dataset, "VOILUTSequence") else "auto"
    if values is None:
        option = []
    elif window == "auto":
        seen = values[~hidden & np.isfinite(values)]
        # Not +Wm: of 8 bits it takes 0 to 255 without looking, and it takes padding for values.
        width, centre = seen.max() - seen.min() + 1, (seen.min() + seen.max() + 1) / 2
        option = ["+Ww", str(centre), str(width), "+Wfl"]
    elif window.startswith("file:"):
        number = int(window[5:])
        if number > len(pairs):
            option = ["+Wl", str(number - len(pairs))]
        elif function is None:
            return None
        else:
            option = ["+Ww", str(pairs[number - 1][0]), str(pairs[number - 1][1])] + function
    else:
        width, centre = window.split("/")
        option = ["+Ww", centre, width, "+Wfl"]
    target = os.path.join(SCRATCH, "dcmtk.pnm")
    done = subprocess.run([tool, "-q", "+Ma", "-O", "+F", str(frame)] + option + [path, target], capture_output=True)
    if done.returncode != 0 or not os.path.exists(target):
        return None
    with open(target, "rb") as file:
        data = file.read()
    os.remove(target)
    magic, columns, rows, most = data.split(None, 4)[:4]
    header = len(magic) + len(columns) + len(rows) + len(most) + 4
    samples = 3 if magic == b"P6" else 1
    array = np.frombuffer(data, "u1", offset=header)
    shape = (int(rows), int(columns)) + ((3,) if samples == 3 else ())
    return array.reshape(shape) if array.size == np.prod(shape) else None


def scale(dataset, frame, points):
    """Distance of rows and of columns in millimetres, or None with the pixel aspect ratio."""
    regions = value(dataset, "SequenceOfUltrasoundRegions")
    if regions:
        def holds(region, point):
            column, row = point
            return (region.RegionLocationMinX0 - 0.5 <= column <= region.RegionLocationMaxX1 + 0.5
                    and region.RegionLocationMinY0 - 0.5 <= row <= region.RegionLocationMaxY1 + 0.5)
        found = [region for region in regions if all(holds(region, point) for point in points)]
        if not found:
            return None, 1.0
        deltas = {(region.PhysicalUnitsXDirection, region.PhysicalUnitsYDirection,
                   round(abs(region.PhysicalDeltaX), 6), round(abs(region.PhysicalDeltaY), 6)) for region in found}
        if len(deltas) != 1:
            return None, 1.0
        x_unit, y_unit, _, _ = deltas.pop()
        x, y = abs(found[0].PhysicalDeltaX) * 10, abs(found[0].PhysicalDeltaY) * 10
        if (x_unit, y_unit) != (3, 3):
            return None, 1.0
        return ((y, x), 1.0) if abs(x - y) <= 1e-3 * max(x, y) else (None, y / x)
    kind = value(dataset, "Modality") or ""
    spacing = floats(macro(dataset, frame, "PixelMeasuresSequence"), "PixelSpacing")[:2]
    ratio = floats(dataset, "PixelAspectRatio")
    aspect = ratio[0] / ratio[1] if len(ratio) == 2 and ratio[1] else 1.0
    sound = len(spacing) == 2 and min(spacing) > 0
    secondary = str(value(dataset, "SOPClassUID") or "").startswith("1.2.840.10008.5.1.4.1.1.7")
    if kind in PROJECTIONS and not secondary:
        calibrated = value(dataset, "PixelSpacingCalibrationType") in ("GEOMETRY", "FIDUCIAL")
        imager = floats(dataset, "ImagerPixelSpacing")[:2]
        if not (sound and calibrated) and len(imager) == 2 and min(imager) > 0:
            factor = (floats(dataset, "EstimatedRadiographicMagnificationFactor") or [0])[0]
            if not factor and floats(dataset, "DistanceSourceToDetector") and floats(dataset, "DistanceSourceToPatient"):
                patient = floats(dataset, "DistanceSourceToPatient")[0]
                factor = floats(dataset, "DistanceSourceToDetector")[0] / patient if patient > 0 else 0
            factor = factor if 1 < factor <= 20 else 1
            return (imager[0] / factor, imager[1] / factor), aspect
    return (tuple(spacing), aspect) if sound else (None, aspect)


def letters(dataset, frame):
    """Right and bottom edge by the direction cosines, or as stated; None where nothing or a contradiction is said."""
    def of(vector):
        axes = zip(vector, ("LR", "PA", "HF"))
        return "".join(pair[0 if x > 0 else 1] for x, pair in sorted(axes, key=lambda a: -abs(a[0])) if abs(x) >= 1e-4)
    cosines = floats(macro(dataset, frame, "PlaneOrientationSequence"), "ImageOrientationPatient")
    stated = value(dataset, "PatientOrientation")
    stated = [str(one) for one in stated] if stated is not None and not isinstance(stated, str) else None
    stated = stated if stated and len(stated) == 2 and all(stated) else None
    if not cosines:
        return stated
    row, column = np.array(cosines[:3]), np.array(cosines[3:])
    if len(cosines) != 6 or abs(row @ row - 1) > 0.01 or abs(column @ column - 1) > 0.01 or abs(row @ column) > 0.01:
        return None
    found = [of(row), of(column)]
    against = {"R": "L", "L": "R", "A": "P", "P": "A", "F": "H", "H": "F"}
    for said, computed in zip(stated or [], found):
        if computed[0] in [against[letter] for letter in said] or not set(said) & set(computed):
            return None
    return found


def turned(edges, mirrored, quarters):
    """The edges of a picture that is turned as an array: the letters stand in its margin."""
    against = {"R": "L", "L": "R", "A": "P", "P": "A", "F": "H", "H": "F"}
    opposite = lambda word: "".join(against[letter] for letter in word)
    right, bottom = edges
    square = np.array([["", opposite(bottom), ""], [opposite(right), "", right], ["", bottom, ""]], dtype=object)
    square = np.rot90(np.fliplr(square) if mirrored else square, -quarters)
    return [square[1, 0], square[1, 2], square[0, 1], square[2, 1]]


def inside(shape, points, rows, columns):
    """Pixels whose centre lies in an outline."""
    row, column = np.mgrid[0:rows, 0:columns].astype(np.float64)
    p = np.array(points)
    if shape == "rectangle":
        low, high = p.min(axis=0), p.max(axis=0)
        return (column >= low[0]) & (column <= high[0]) & (row >= low[1]) & (row <= high[1])
    if shape == "ellipse":
        middle, major, minor = (p[0] + p[1]) / 2, (p[1] - p[0]) / 2, (p[3] - p[2]) / 2
        x, y = column - middle[0], row - middle[1]
        along = (x * major[0] + y * major[1]) / (major @ major)
        beside = (x * minor[0] + y * minor[1]) / (minor @ minor)
        return along**2 + beside**2 <= 1 + 1e-9
    # Winding number: how often the outline turns around a centre.
    turns = np.zeros((rows, columns))
    for a, b in zip(p, np.roll(p, -1, axis=0)):
        ax, ay, bx, by = a[0] - column, a[1] - row, b[0] - column, b[1] - row
        turns += np.arctan2(ax * by - ay * bx, ax * bx + ay * by)
    return np.abs(turns) > math.pi


def statistics(values):
    return [len(values), values.mean(), values.std(), values.min(), values.max()]


def perimeter_of(shape, p, across, down):
    p = np.array(p) * [across, down]
    if shape == "rectangle":
        return 2 * np.abs(p[1] - p[0]).sum()
    if shape == "ellipse":
        t = np.linspace(0, 2 * math.pi, 20001)
        major, minor = (p[1] - p[0]) / 2, (p[3] - p[2]) / 2
        p = np.outer(np.cos(t), major) + np.outer(np.sin(t), minor)
        return np.linalg.norm(np.diff(p, axis=0), axis=1).sum()
    return np.linalg.norm(p - np.roll(p, -1, axis=0), axis=1).sum()


def area_of(shape, p):
    p = np.array(p)
    if shape == "rectangle":
        return np.abs(np.prod(p[1] - p[0]))
    if shape == "ellipse":
        return math.pi / 4 * np.linalg.norm(p[1] - p[0]) * np.linalg.norm(p[3] - p[2])
    x, y = p[:, 0], p[:, 1]
    return abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def same(a, b, relative=1e-9):
    return a is not None and b is not None and abs(a - b) <= relative * max(abs(a), abs(b), 1)


def marks_judged(job, dataset, frame, values, unit, hidden, wrong):
    """Compares every mark's numbers; gives how many were compared."""
    count = 0
    for mark in job["marks"]:
        shape, points, said = mark["shape"], mark["points"], mark["value"]
        millimetres, aspect = scale(dataset, frame, points)
        down, across = millimetres or (1.0, 1.0)
        length_unit = "mm" if millimetres else "{pixels}"
        p = np.array(points)
        compared = []
        if shape == "length":
            d = (p[1] - p[0]) * [across, down]
            compared = [(said, math.hypot(*d)), (mark["unit"], length_unit)]
        elif shape in ("angle", "cobb"):
            size = np.array([across, down] if millimetres else [1.0, aspect])
            a, b = ((p[0] - p[1]) * size, (p[2] - p[1]) * size) if shape == "angle" else (
                (p[1] - p[0]) * size, (p[3] - p[2]) * size)
            degrees = abs(math.degrees(math.atan2(b[1], b[0]) - math.atan2(a[1], a[0]))) % 360
            degrees = 360 - degrees if degrees > 180 else degrees
            compared = [(said, min(degrees, 180 - degrees) if shape == "cobb" else degrees), (mark["unit"], "deg")]
        elif shape == "bidirectional":
            lengths = sorted([math.hypot(*((p[1] - p[0]) * [across, down])), math.hypot(*((p[3] - p[2]) * [across, down]))])
            compared = [(said, lengths[1]), (mark["short"], lengths[0]), (mark["unit"], length_unit)]
        elif shape == "probe":
            column, row = (int(math.floor(x + 0.5)) for x in points[0])
            expected = None if values is None or hidden[row, column] else values[row, column]
            compared = [(said, expected)]
        else:
            compared = [(mark["area"], area_of(shape, points) * across * down)]
            if not same(mark["perimeter"], perimeter_of(shape, points, across, down), 1e-4):
                wrong.append(f"{shape}: perimeter {mark['perimeter']}")
            if values is not None:
                mask = inside(shape, points, *values.shape)
                seen = values[mask & ~hidden & np.isfinite(values)]
                expected = statistics(seen) if len(seen) else None
                if expected is None or mark["statistics"] is None:
                    compared.append((mark["statistics"], expected))
                else:
                    compared += list(zip(mark["statistics"], expected))
                    compared += [(said, expected[1]), (mark["unit"], unit)]
        for ours, theirs in compared:
            count += 1
            equal = ours == theirs if not isinstance(ours, float) or not isinstance(theirs, float) else same(ours, float(theirs))
            if not equal and isinstance(ours, (int, float)) and theirs is not None and not isinstance(theirs, str):
                equal = same(float(ours), float(theirs))
            if not equal:
                wrong.append(f"{shape}: {ours} for {theirs}")
    return count


def suv_factor(dataset, frame):
    """SUVbw of one Bq/ml, after QIBA; None where the header does not allow it."""
    if value(dataset, "Modality") != "PT" or value(dataset, "Units") != "BQML":
        return None
    drug = value(dataset, "RadiopharmaceuticalInformationSequence")
    if not drug or value(dataset, "DecayCorrection") != "START":
        return None
    from datetime import datetime
    start = datetime.strptime(dataset.SeriesDate + dataset.SeriesTime[:6], "%Y%m%d%H%M%S")
    injected = datetime.strptime(str(drug[0].RadiopharmaceuticalStartDateTime)[:14], "%Y%m%d%H%M%S")
    elapsed = (start - injected).total_seconds()
    dose = float(drug[0].RadionuclideTotalDose) * 2 ** (-elapsed / float(drug[0].RadionuclideHalfLife))
    return float(dataset.PatientWeight) * 1000 / dose


def judge(job):
    wrong, checked = [], 0
    dataset, syntax = read(job["path"])
    frame, photometric = job["frame"], job["photometric"]
    name, kind = job["stored"]
    ours = np.fromfile(name, kind).reshape(job["shape"] if job["shape"][2] > 1 else job["shape"][:2])
    theirs, decoder = stored_values(job["path"], dataset, syntax, frame)
    # Where the judges' decoder of a lossy codestream rounds otherwise, so may dcm2pnm.
    agreed = np.ones(ours.shape, bool)
    if theirs is not None:
        checked += 1
        allowed = LOSSY_TOLERANCE if syntax in LOSSY else 0
        if theirs.shape != ours.shape:
            wrong.append(f"stored: {ours.shape} for {theirs.shape}")
        else:
            difference = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
            agreed = difference == 0
            if difference.max() > allowed:
                wrong.append(f"stored: {difference.max():.0f} in {(difference > allowed).sum()} values")
            elif agreed.all():
                ours = theirs
    values = hidden = None
    unit = "1"
    if photometric.startswith("MONOCHROME"):
        values, unit, _ = modality(dataset, frame, ours)
        hidden = padding_of(dataset, ours)
        checked += 1
        if unit != job["unit"]:
            wrong.append(f"unit: {job['unit']} for {unit}")
    for entry in job["pictures"]:
        drawn = np.fromfile(entry["file"], "u1")
        exact, tolerance = picture(entry["window"], dataset, frame, ours, photometric)
        drawn = drawn.reshape(exact.shape).astype(np.float64) if drawn.size == exact.size else None
        checked += 1
        if drawn is None:
            wrong.append(f"{entry['window']}: another size")
            continue
        apart = np.abs(drawn - exact)
        if apart.max() > tolerance:
            wrong.append(f"{entry['window']}: numpy: {apart.max():.3f} in {(apart > tolerance).sum()} pixels")
        if not entry["dcmtk"]:
            continue
        second = dcmtk_picture(job["path"], syntax, frame, entry["window"], dataset, values, hidden)
        if second is None:
            continue
        checked += 1
        if second.shape != drawn.shape:
            wrong.append(f"{entry['window']}: dcm2pnm: another shape")
            continue
        compared = agreed if agreed.ndim == drawn.ndim else agreed[..., None]
        apart = np.where(compared, np.abs(drawn - second), 0)
        if apart.max() > DCMTK_TOLERANCE:
            wrong.append(f"{entry['window']}: dcm2pnm: {apart.max():.0f} in {(apart > DCMTK_TOLERANCE).sum()} pixels")
    checked += marks_judged(job, dataset, frame, values, unit, hidden, wrong)
    expected = letters(dataset, frame)
    for turn in job["letters"]:
        checked += 1
        if turn["edges"] != (turned(expected, turn["mirrored"], turn["quarters"]) if expected else None):
            wrong.append(f"letters: {turn['edges']} for {expected}")
    factor = suv_factor(dataset, frame)
    checked += 1
    if (factor is None) != (job["suv"] is None) or (factor is not None and not same(factor / job["suv"], 1)):
        wrong.append(f"suv: {job['suv']} for {factor}")
    return {"stored": decoder, "wrong": wrong, "checked": checked}


for line in sys.stdin:
    try:
        answer = judge(json.loads(line))
    except Exception as error:
        answer = {"stored": "none", "wrong": [f"the judge failed: {type(error).__name__}: {error}"], "checked": 0}
    print(json.dumps(answer), flush=True)
