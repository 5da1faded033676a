"""judge.py ORIGINALS EXPORTED: compares de-identified files with the originals; what is wrong is printed, exit 1.

Pixels by pydicom, as a set of hashes. Whole words of three letters or more, from the originals' names, identifiers,
dates and UIDs, must not stand in any exported header. dcmdump reads every file; dciodvfy finds no new kind of error.
"""
import hashlib
import os
import re
import subprocess
import sys

import pydicom

# Words that stand in headers on their own account: (word, the attribute whose defined term or coded value it is).
OWN_TERMS = {("REMOVED", "LongitudinalTemporalInformationModified"), ("PROSTATE", "BodyPartExamined")}
IDENTIFIERS = {"PatientID", "OtherPatientIDs", "AccessionNumber", "StudyID", "InstitutionName", "StationName",
               "DeviceSerialNumber", "IssuerOfPatientID"}
WELL_KNOWN = "1.2.840.10008"


def files(folder):
    return sorted(os.path.join(root, name) for root, _, names in os.walk(folder) for name in names)


def elements(dataset):
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from elements(item)
        else:
            yield element


def values(element):
    many = isinstance(element.value, (list, pydicom.multival.MultiValue))
    return [str(value) for value in (element.value if many else [element.value])]


def pixels(path):
    return hashlib.sha256(pydicom.dcmread(path).pixel_array.tobytes()).hexdigest()


def identifying(path):
    for element in elements(pydicom.dcmread(path, stop_before_pixels=True)):
        if element.VR in ("UI", "DA", "DT"):
            yield from (value for value in values(element) if len(value) > 2 and not value.startswith(WELL_KNOWN))
        elif element.VR == "PN" or element.keyword in IDENTIFIERS:
            for value in values(element):
                yield from re.findall(r"\w{3,}", value)


def errors(path):
    said = subprocess.run(["dciodvfy", path], capture_output=True, text=True, errors="replace").stderr
    # The kind of error, without the values it quotes.
    return {re.sub(r"[<\[].*", "", line) for line in said.splitlines() if line.startswith("Error")}


originals, exported = files(sys.argv[1]), files(sys.argv[2])
wrong = []
if not exported or sorted(map(pixels, originals)) != sorted(map(pixels, exported)):
    wrong.append(f"the pixels of {len(originals)} files are not those of {len(exported)}")
words = {word for path in originals for word in identifying(path)}
if not words:
    wrong.append("the originals identify nobody: nothing was checked")
known = set().union(*map(errors, originals[:: max(1, len(originals) // 4)]))
for path in exported:
    header = pydicom.dcmread(path, stop_before_pixels=True)
    for element in [*elements(header), *elements(header.file_meta)]:
        for word in re.findall(r"[\w.]{3,}", " ".join(values(element))):
            if word in words and (word, element.keyword) not in OWN_TERMS and element.keyword != "DeidentificationMethod":
                wrong.append(f"{os.path.basename(path)} still holds {word} in {element.tag} {element.keyword}")
    if subprocess.run(["dcmdump", path], capture_output=True).returncode:
        wrong.append(f"dcmdump does not read {os.path.basename(path)}")
for path in exported[:: max(1, len(exported) // 4)]:
    wrong += [f"dciodvfy: {error}" for error in errors(path) - known]
print("\n".join(wrong[:20]))
sys.exit(bool(wrong))
