"""What tissues measure in computed tomography, in Hounsfield units (HU): water 0, air -1000.

Typical values at 120 kV as radiology textbooks give them (e.g. Hofer, CT Teaching Manual; Prokop and Galanski, Spiral
and Multislice CT). "Enhanced" values are those of the portal venous phase.
"""

AIR = -1000.0
PADDING = -2000.0
"""What scanners write outside the circle that they reconstruct."""

LUNG = -850.0
EMPHYSEMA = -975.0
GROUND_GLASS = -560.0
FAT = -100.0
CSF = 6.0
SEROUS = 10.0
"""Effusion, ascites, simple cysts, bile, urine."""
WHITE_MATTER = 27.0
GREY_MATTER = 38.0
EDEMA = 17.0
BLOOD = 42.0
"""Flowing blood without contrast medium."""
CLOT = (54.0, 80.0)
"""Fresh blood outside vessels."""
MUSCLE = 54.0
MUSCLE_ENHANCED = 62.0
BOWEL = 35.0
SKIN = 30.0
LIVER = 58.0
LIVER_ENHANCED = 112.0
SPLEEN = 48.0
SPLEEN_ENHANCED = 122.0
PANCREAS = 42.0
PANCREAS_ENHANCED = 92.0
KIDNEY = 32.0
KIDNEY_ENHANCED = 178.0
VESSEL_ENHANCED = 165.0
DURA = 62.0
MARROW = 220.0
BONE = 1000.0
CALCIFICATION = 250.0
STONE = (450.0, 1400.0)
ORAL_CONTRAST = 320.0
TABLE = -150.0
"""A thin shell of carbon fiber, its share of a thick slice."""
HOLDER = 120.0

BRAIN_WINDOW = (38.0, 82.0)
"""Center and width in HU."""
LUNG_WINDOW = (-600.0, 1500.0)
ABDOMEN_WINDOW = (50.0, 400.0)
