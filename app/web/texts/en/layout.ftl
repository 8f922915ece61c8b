layout-title = How to read this archive
layout-about = The archive can be read in more than one way, and a wrong reading makes wrong classes without a warning. No image was read yet. Choose the reading that is right; the check then continues.
layout-rejected-next = The layout that was confirmed led to no dataset. Nothing else was changed, and the archive is kept. Choose another reading or change the details, or upload another archive.
layout-questions = { $n ->
    [one] What is not clear
   *[other] What is not clear ({ $n } questions)
 }
layout-questions-how = Choose the reading that is right. Where none is quite right, change its details.
layout-readings = { $n ->
    [one] One reading was found
   *[other] { $n } readings were found
 }
layout-choose = Choose a reading
layout-reading = Reading { $n }
layout-suggested = suggested
layout-split-train = Training
layout-split-validation = Validation
layout-split-test = Test
layout-split-none = No split given
layout-more-classes = { $n ->
    [one] One more class
   *[other] { $n } more classes
 }
layout-no-class = This reading alone gives no class. Change the details below.
layout-merges = Read as one class:
layout-merge = { $name } becomes part of { $into }
layout-left-out = Left out:
layout-left-out-left-out = in folders that are left out
layout-left-out-no-class = in no class folder
layout-left-out-no-row = without a row in the table
layout-left-out-no-label = without a label
layout-left-out-several-labels = with several labels
layout-left-out-uncertain = with an uncertain label
layout-left-out-lateral = lateral views
layout-left-out-contradicting-rows = with contradicting rows
layout-show-details = Show and change the details
layout-encoding = How the names in the archive are written
layout-encoding-about = The archive does not say it. Choose the one in which the names read right.
encoding-cp437 = MS-DOS (cp437)
encoding-cp850 = MS-DOS, Western European (cp850)
encoding-cp852 = MS-DOS, Central European (cp852)
encoding-cp866 = MS-DOS, Cyrillic (cp866)
encoding-cp949 = Windows, Korean (cp949)
encoding-cp932 = Windows, Japanese (cp932, Shift-JIS)
encoding-cp1250 = Windows, Central European (cp1250)
encoding-cp1251 = Windows, Cyrillic (cp1251)
encoding-cp1252 = Windows, Western European (cp1252)
encoding-gbk = Simplified Chinese (GBK)
encoding-big5 = Traditional Chinese (Big5)
layout-confirm = { $n ->
    [one] Read it like this
   *[other] Read it like the chosen reading
 }
layout-confirm-about = The portal remembers the layout for your organisation: the next archive of the same make is read without a question.
layout-notes = Decided without a question
layout-empty-classes = Folders without an image: { $names }
layout-another = Is it the wrong archive?
layout-another-about = Another archive replaces this one. Nothing of this one was read.
layout-another-button = Upload another archive instead

layout-details = Change the details: levels, tables, classes, splits
layout-details-about = Filled in from reading { $n }. What you confirm here counts, whichever reading is chosen above.
layout-levels = Folder levels
layout-levels-about = The outermost level comes first. One level holds the classes, unless a table gives the labels. Names that could belong to a patient are masked.
layout-level = Level
layout-level-names = Folders
layout-level-folders = Number
layout-level-files = Files
layout-level-role = Holds
layout-level-role-of = What level { $n } holds
role-of-level-root = the whole set
role-of-level-site = hospitals or sites
role-of-level-split = splits
role-of-level-class = classes
role-of-level-patient = patients
role-of-level-ignore = nothing else
layout-patient-in-name = File names begin with the patient’s number: keep the images of one patient in one split
layout-table = Table { $name }
layout-table-rows = { $rows } rows; { $named } of them name a file of the archive.
layout-table-use = Use this table
layout-table-name = Name of the table itself
layout-column = Column
layout-column-values = Values
layout-column-role = Is
layout-column-role-of = What the column { $name } of { $table } is
role-of-column-none = not used
role-of-column-file = the file
role-of-column-label = the class
role-of-column-patient = the patient
role-of-column-split = the split
role-of-column-view = the view
role-of-column-site = the hospital or site
layout-wide = Columns of 0 and 1, each of which is a class
layout-uncertain = Uncertain labels (−1)
layout-uncertain-leave-out = Leave these images out
layout-uncertain-positive = Count them as positive
layout-uncertain-negative = Count them as negative
layout-several = Images with several labels
layout-several-leave-out = Leave these images out
layout-several-first-by-priority = Take the first label by the order of priority
layout-several-one-against-the-rest = Set one class against the rest
layout-priority = Order of priority: one class per line, the most important first
layout-positive = The class that stands against the rest
layout-rest = Name of the rest
layout-classes-about = Leave a class out, or let it become part of another one, such as two spellings of one disease.
layout-class-out = Leave out
layout-class-out-of = Leave out { $name }
layout-class-into = Becomes part of
layout-class-into-of = Class that { $name } becomes part of
layout-class-stays = stays by itself
layout-folders = Folders that are left out
layout-words = Words for splits
layout-words-about = Which folder name or table value means which split. Without a split in the archive, the portal splits the images itself.
layout-word-split-of = Split that { $word } means
layout-word-other = Another word, { $n }
layout-word-other-hint = another word
layout-word-other-split = Split that the other word { $n } means
layout-word-none = no split
layout-details-confirm = Read it with these details

layout-problem = The layout cannot be used
layout-problem-kept = Nothing was changed, and what you filled in is still here.
layout-problem-none-chosen = No reading was chosen. Choose one, then confirm it.
layout-problem-level-class = Two folder levels hold classes. Choose “nothing else” for one of them.
layout-problem-level-split = Two folder levels hold splits. Choose “nothing else” for one of them.
layout-problem-no-class = Nothing says which class an image has. Choose “classes” for one folder level, or “the class” for a column of a table that is used.
layout-problem-no-file = The table { $table } is used, but no column of it is the file. Choose “the file” for the column with the file names, or do not use the table.
layout-problem-file-alone = Of the table { $table }, the file names alone are used. Choose what another column is, or do not use the table.
layout-problem-column-twice = In the table { $table }, two columns have one meaning. Only files and classes can be in several columns: choose “not used” for one of the others.
layout-problem-merge-itself = { $name } becomes part of itself. Choose another class, or “stays by itself”.
layout-problem-merge-steps = { $name } becomes part of { $into }, which becomes part of another class itself. Choose the last class for both.
layout-problem-priority = The order of priority is empty. List the classes, the most important first.
layout-problem-positive = The class that stands against the rest is missing. Name it.
layout-problem-replaced = Another archive has arrived since
layout-problem-replaced-about = This page shows the layout of an archive that another one has replaced. Nothing was changed. Load the page again to see the present archive.
layout-problem-over = The dataset does not wait for a layout any more
layout-problem-over-about = Somebody has confirmed a layout since, or the dataset was read already. Nothing was changed. The dataset’s page shows its status; to read an archive in another way, upload it as the next version.
note-layout-confirmed = The layout is confirmed. The archive is being read.

layout-used-title = How the archive was read
layout-confirmed-by = { $name } confirmed this layout.
layout-not-asked = There was one reading only, and nothing to ask.
layout-used-about = To read the archive in another way, upload it as the next version.
layout-choices = Choices
layout-is-left-out = { $name } is left out
layout-word-is = { $word } means { $split }
layout-not-known = How this archive was read was not recorded: an earlier version of the portal read it.
layout-to-dataset = Go to the dataset
layout-link = How the archive was read
layout-waits = The archive can be read in more than one way
layout-waits-about = No image was read yet. Say which reading is right, and the check continues.
layout-waits-open = Choose how to read it
layout-ask-steward = This dataset waits until a data steward of your organisation says how its archive is to be read.
layout-try-again = Choose another reading
