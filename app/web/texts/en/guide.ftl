guide-title = Your first distillation
guide-about = Six steps, some minutes, and no patient’s image: the portal draws X-rays itself. Afterwards you know what a distillation is, what its report says, and what sharing would mean.
guide-not-yours = This is for those who work with datasets
guide-not-yours-about = Your role does not reach them. Ask an admin of your organisation for the role of a researcher, or let a colleague show you.
guide-words = Words that you do not know are in the
guide-now = Next step: { $step }

guide-state-done = done
guide-state-next = next
guide-state-runs = under way
guide-state-later = later

guide-draw = Draw the sample cohort
guide-draw-about = 600 images that look like chest X-rays, of four classes. No pixel comes from a person, so nothing can leak, and nothing that is learned from them holds for people.
guide-draw-button = Draw them
guide-draw-others = Drawing makes a dataset, which takes the role of a data steward. Ask one of your organisation, or an admin.
guide-dataset-open = The dataset
note-sample-drawn = The sample cohort is being drawn and checked.

guide-check = Wait for its check
guide-check-about = Every dataset is checked before it is used: which images can be read, whether any are twice, how large each class is. Of this one it takes less than a minute, once a worker is free.

guide-start = Start a distillation
guide-start-about = It learns two images for each class, which are to teach a network what the 600 teach. The setting is made for a first look: minutes, on any machine, and no figures to rely on.
guide-start-button = Start it
guide-start-others = Starting takes the role of a researcher or a data steward. Ask one of your organisation, or an admin.
guide-ended-failed = The distillation before has failed
guide-ended-cancelled = The distillation before was cancelled
note-first-started = The distillation has begun. You can leave this page: it goes on.

guide-watch = Watch it
guide-watch-about = Teachers are trained and their way is recorded, then the few images are learned, evaluated and tested for what they leak. You can leave and come back: it goes on without you.
guide-watch-open = The distillation

guide-read = Read the report
guide-read-about = It ends in a report. Three things to look for in it:
guide-read-worth = What the few images are worth: networks trained on them, beside as many images taken at random, and beside all images.
guide-read-leaks = What they leak: a verdict in words, and each test behind it, with a control that has to fail.
guide-read-settings = How to do it again: every setting, the versions and the seed.
guide-read-open = Read the report

guide-share = What sharing would be
guide-share-about = Drawn images are not shared: they would teach nobody anything. With your own images it would go on like this:
guide-share-gate = The gate looks at the report. What an audit has refuted is never released; what else has to hold, your admins decide.
guide-share-terms = A data steward writes what it is and under which terms it may be used. The release is signed with your organisation’s key.
guide-share-asked = Others find it in the catalogue and ask. A data steward grants, sends back or denies, each with a reason and a line in the audit log.
guide-share-back = What was shared can be withdrawn, also because of one patient; who downloaded it is told.
