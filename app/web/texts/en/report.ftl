# The report of a distillation within the portal.
report-of = Report: { $name }
report-ask-steward = Sharing it takes the role of a data steward or an admin. Ask one of them in your organisation.
report-own-page = This report was made before reports were shown here; it has a page of its own.
report-open = Open the report
report-scores = What recipients measured
report-releases = Releases made of it
report-release = Release { $number }: { $title }
report-no-releases = It was not released so far.

report-scores-summary = { $organisations ->
    [one] One recipient has measured it on its own test images: networks trained on it reach { $mean } balanced accuracy.
   *[other] { $organisations } recipients have measured it on their own test images: networks trained on it reach { $mean } balanced accuracy in the mean, the latest score of each counting once.
}
report-scores-range = Lowest { $lowest }, highest { $highest }.
report-scores-newest = These are the newest { $count }. The page of each release leads to all of them.
report-scores-none = No recipient has sent a score so far. Whoever downloads a release may measure it on their own test images and send what comes out.
report-scores-by = Recipient
report-scores-release = Release
report-scores-accuracy = Balanced accuracy
report-scores-networks = Networks
report-scores-images = Test images
report-scores-when = Arrived
