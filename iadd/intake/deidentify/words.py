"""Words of file and folder names that name no person."""

from __future__ import annotations

# Of files and folders, of studies and views, of findings on chest X-rays; some in French, German
# and Spanish.
_WORDS = """
archive batch copy data database dataset dev development dicom dcm dir docs export
external file files final fold folder hold holdout img imgs im image images index info
internal item jpeg jpg jp bmp webp gif gz zip tar tif tiff png csv json txt tsv label labels
list manifest meta metadata name no nr num number of original originals out output
part pic picture pictures photo prepared processed raw readme sample set shard
slice split subset table temp test testing tests testset tmp train training trainset
unknown untitled val valid validate validation version vol without with and not
acq ap ascii chest cr crx ct cxr cxrs db dx erect exam film frontal hospital lat
lateral ll lung lungs mask masks mri pa patient patients portable pt radiograph
radiographs radiography radiology rx scan scans series site study sub subj subject supine
thorax view views xr xray xrays
abnormal atelectasis bacteria bacterial cardiomegaly consolidation control covid cov sars
disease edema effusion emphysema fibrosis finding findings fracture healthy hernia infiltrate
infiltration infection negative nodule normal nothing opacity opacities other others
person pleural pneumonia pneumothorax positive segmentation tb thickening tuberculosis tumor viral
virus
aufnahme befund bild bilder daten gesund krank normale normales pneumonie radio radios
donnees imagen imagenes prueba entrenamiento
"""
TECHNICAL_WORDS = frozenset(_WORDS.split())
"""Case does not matter. No word of these may be a person's first or last name."""
