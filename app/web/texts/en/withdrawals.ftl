withdrawals-title = Withdrawals
withdrawals-about = Patients, or whole datasets, that take part no longer: what that concerned, and who was told.
withdrawals-none = Nothing was withdrawn
withdrawals-none-about = When a patient takes back their consent, open the dataset and withdraw their images there.

withdraw-title = Withdraw patients' images
withdraw-about = When a patient takes back their consent, their images leave the dataset and everything that can be reached from here.
withdraw-does-images = The images leave the archive and the dataset. Their names are forgotten.
withdraw-does-trajectories = Teachers that were trained on them are deleted.
withdraw-does-distillations = Distillations made from them are marked: they are not released or gone on with any more, and can be made again without these images.
withdraw-does-recipients = Every organisation that has a release made from them, or may download it, is told, with your reason.
withdraw-concerns = What it concerns now
withdraw-form = Withdraw
withdraw-link = Withdraw images…
withdraw-what = What is withdrawn
withdraw-files = The images of some patients, named below
withdraw-whole = The whole dataset. It is deleted, with its archive and all images.
withdraw-names = Files or folders
withdraw-names-help = One a line, as they are called in the archive. A folder ends in /. They are kept until the images are gone, and told to nobody. Leave this empty when you withdraw the whole dataset.
withdraw-reason = Reason
withdraw-reason-help = Recipients read it. No word that tells who a patient is.
withdraw-keep = Leave the releases published
withdraw-keep-help = They are marked, and recipients decide for themselves. Otherwise the releases are withdrawn.
withdraw-button = Withdraw, and tell the recipients

withdrawal-title = Withdrawal
withdrawal-when = Asked for
withdrawal-asked-by = Asked for by
withdrawal-finished = Done
withdrawal-dataset = Dataset
withdrawal-dataset-gone = deleted
withdrawal-whole = The whole dataset
withdrawal-some = Images of some patients
withdrawal-status-removing = being taken out
withdrawal-status-done = done
withdrawal-status-failed = not done
withdrawal-is-removing = A worker takes the images out. Nothing is told to recipients before that is done.
withdrawal-follow = Follow it on the dataset's page
withdrawal-is-done = { $n ->
    [one] One image was taken out, and recipients were told.
   *[other] { $shown } images were taken out, and recipients were told.
 }
withdrawal-again = Make these again
withdrawal-again-about = These distillations were made with the images that are gone. Open one and choose to make it again: the new one is made without them.
withdrawal-again-link = Distillation { $n }
withdrawal-concerned = What it concerned when it was asked for
withdrawal-kept = Releases were marked and left published.
withdrawal-not-kept = Releases made from it were withdrawn.
