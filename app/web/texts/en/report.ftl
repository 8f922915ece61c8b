# The report of a distillation within the portal.
report-of = Report: { $name }
report-ask-steward = Only a data steward or an admin can share this distillation. Ask one of them in your organisation.
report-own-page = This report was created by an earlier version of the portal; it opens on its own page.
report-open = Open the report
report-scores = Scores from recipients
report-releases = Releases of this distillation
report-release = Release { $number }: { $title }
report-no-releases = Not released yet.

report-scores-summary = { $organisations ->
    [one] One recipient has tested it on its own images: networks trained on it reach { $mean } balanced accuracy.
   *[other] { $organisations } recipients have tested it on their own images: networks trained on it reach { $mean } balanced accuracy on average, counting the latest score of each recipient once.
}
report-scores-range = Lowest { $lowest }, highest { $highest }.
report-scores-newest = These are the newest { $count }. The page of each release links to all its scores.
report-scores-none = No recipient has sent a score yet. Everyone who downloads a release can test it on their own images and send the score.
report-scores-by = Recipient
report-scores-release = Release
report-scores-accuracy = Balanced accuracy
report-scores-networks = Networks
report-scores-images = Test images
report-scores-when = Received
