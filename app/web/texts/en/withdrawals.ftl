withdrawals-title = Withdrawals
withdrawals-about = Patients or whole datasets that no longer take part: what was affected, and who was notified.
withdrawals-none = No withdrawals yet
withdrawals-none-about = When a patient withdraws consent, open the dataset and withdraw the patient’s images there.

withdraw-title = Withdraw patients’ images
withdraw-about = When a patient withdraws consent, remove their images from the dataset and from everything that this portal can reach.
withdraw-does-images = The images are removed from the archive and the dataset. Their names are deleted.
withdraw-does-trajectories = Teachers that were trained on them are deleted.
withdraw-does-distillations = Distillations made from them are marked: they can no longer be released or resumed, and can be repeated without these images.
withdraw-does-recipients = Every organisation that has a release made from them, or can download it, is notified, with your reason.
withdraw-concerns = What is affected now
withdraw-form = Withdraw
withdraw-link = Withdraw images…
withdraw-what = What to withdraw
withdraw-files = The images of some patients, named below
withdraw-whole = The whole dataset. It is deleted, with its archive and all images.
withdraw-names = Files or folders
withdraw-names-help = One per line, named as in the archive. A folder ends in /. The names are kept until the images are removed, and are shown to nobody. Leave this empty when you withdraw the whole dataset.
withdraw-reason = Reason
withdraw-reason-help = Recipients read it. Do not write anything that identifies a patient.
withdraw-keep = Leave the releases published
withdraw-keep-help = They are marked, and recipients decide for themselves. Otherwise the releases are withdrawn.
withdraw-button = Withdraw and notify recipients

withdrawal-title = Withdrawal
withdrawal-when = Requested
withdrawal-asked-by = Requested by
withdrawal-finished = Done
withdrawal-dataset = Dataset
withdrawal-dataset-gone = deleted
withdrawal-whole = The whole dataset
withdrawal-some = Images of some patients
withdrawal-status-removing = removing images
withdrawal-status-done = done
withdrawal-status-failed = failed
withdrawal-is-removing = A worker is removing the images. Recipients are notified only after that.
withdrawal-follow = Follow the progress on the dataset’s page
withdrawal-is-done = { $n ->
    [one] One image was removed, and recipients were notified.
   *[other] { $shown } images were removed, and recipients were notified.
 }
withdrawal-again = Repeat these distillations
withdrawal-again-about = These distillations were made with the removed images. Open one and choose “Distill again”: the new one is made without them.
withdrawal-again-link = Distillation { $n }
withdrawal-concerned = What was affected when it was requested
withdrawal-kept = Releases were marked and left published.
withdrawal-not-kept = Releases made from it were withdrawn.
