"""judge.py UNMASKED MASKED C,R,W,H...: judges a masked file by the same without its mask; what is wrong is printed, exit 1.

Pixels by pydicom and numpy, frame by frame: one value in the rectangles, drawn black; outside equal, or of a JPEG with
lossy colours as near as two decoders come. dcmdump reads the masked file, dcm2pnm draws it black there, dciodvfy finds no
new kind of error.
"""
import re
import subprocess
import sys

import numpy
import pydicom
from pydicom.pixels import apply_color_lut, convert_color_space, pixel_array

# What two decoders of one lossy JPEG differ by, in stored values: rounding, and how colour differences are enlarged.
LOSSY_MEAN_MAX = 3.0

wrong = []


def check(is_right, words):
    if not is_right:
        wrong.append(words)


def frames(path, dataset):
    pixels = pixel_array(path, raw=True)
    if int(dataset.get("NumberOfFrames", 1)) == 1:
        pixels = pixels[None]
    return pixels


def errors(path):
    said = subprocess.run(["dciodvfy", path], capture_output=True, text=True, errors="replace").stderr
    return {re.sub(r"[<\[].*", "", line) for line in said.splitlines() if line.startswith("Error")}


original, masked = sys.argv[1:3]
rectangles = [tuple(map(int, text.split(","))) for text in sys.argv[3:]]
before, after = pydicom.dcmread(original), pydicom.dcmread(masked)
check(after.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian, "not Explicit VR Little Endian")
codes = [item.CodeValue for item in after.DeidentificationMethodCodeSequence]
check("113101" in codes, f"no 113101 among {codes}")
check(after.BurnedInAnnotation == "NO", "Burned In Annotation is not NO")
check("VolumetricProperties" in after or after.get("ImageType", ["DERIVED"])[0] == "DERIVED", "not DERIVED")
check(after.HighBit == after.BitsStored - 1, "High Bit does not fit Bits Stored")
if before.get("LossyImageCompression") == "01" or before.file_meta.TransferSyntaxUID == pydicom.uid.JPEGBaseline8Bit:
    check(after.LossyImageCompression == "01", "no longer said to be lossy")
for gone in ("SmallestImagePixelValue", "LargestImagePixelValue", "ExtendedOffsetTable", "IconImageSequence"):
    check(gone not in after, f"{gone} is left")

was, now = frames(original, before), frames(masked, after)
is_lossy_colour = after.PhotometricInterpretation == "RGB" and before.PhotometricInterpretation.startswith("YBR")
if is_lossy_colour:
    was = numpy.stack([convert_color_space(frame, before.PhotometricInterpretation, "RGB") for frame in was])
check(was.shape == now.shape, f"{was.shape} became {now.shape}")
inside = numpy.zeros(now.shape[1:3], bool)
for column, row, columns, rows in rectangles:
    inside[row : row + rows, column : column + columns] = True
check(inside.any(), "the rectangles lie outside")
values = numpy.unique(now[:, inside].reshape(-1, now.shape[3] if now.ndim == 4 else 1), axis=0)
check(len(values) == 1, f"{len(values)} values under the mask")
black = values[0]
kind = after.PhotometricInterpretation
outside, outside_was = now[:, ~inside].astype(numpy.int64), was[:, ~inside].astype(numpy.int64)
if is_lossy_colour:
    check(numpy.abs(outside - outside_was).mean() <= LOSSY_MEAN_MAX, "pixels outside differ by more than decoders do")
else:
    check((outside == outside_was).all(), "pixels outside differ")
if kind == "MONOCHROME1":
    check(black[0] >= outside.max(), f"{black} is not the darkest of MONOCHROME1")
elif kind == "MONOCHROME2":
    check(black[0] <= outside.min(), f"{black} is not the darkest of MONOCHROME2")
elif kind == "PALETTE COLOR":
    colours = apply_color_lut(numpy.arange(2 ** after.BitsStored, dtype=numpy.uint16), after).astype(float)
    brightness = colours @ [0.299, 0.587, 0.114]
    check(brightness[black[0]] <= brightness.min() + 256, "not the darkest colour of the palette")
else:
    check(list(black) == ([0, 128, 128] if kind == "YBR_FULL" else [0, 0, 0]), f"{black} is not black in {kind}")

check(subprocess.run(["dcmdump", masked], capture_output=True).returncode == 0, "dcmdump does not read it")
drawn = subprocess.run(["dcm2pnm", "--write-raw-pnm", "--min-max-window", masked], capture_output=True)
if drawn.returncode:
    drawn = subprocess.run(["dcm2pnm", "--write-raw-pnm", masked], capture_output=True)
check(drawn.returncode == 0, f"dcm2pnm does not draw it: {drawn.stderr[:200]}")
if drawn.returncode == 0:
    head = re.match(rb"P([56])\s(?:#[^\n]*\s)*(\d+)\s+(\d+)\s+(\d+)\s", drawn.stdout)
    samples = 3 if head[1] == b"6" else 1
    picture = numpy.frombuffer(drawn.stdout[head.end() :], numpy.uint8).reshape(int(head[3]), int(head[2]), samples)
    check(picture[inside].max() <= picture.min() + 2, "dcm2pnm does not draw it black")
wrong += [f"dciodvfy: {error}" for error in errors(masked) - errors(original)]
print("\n".join(wrong[:20]))
sys.exit(bool(wrong))
