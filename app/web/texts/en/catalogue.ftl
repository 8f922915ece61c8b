# The catalogue: what organisations share.
catalogue-title = Catalogue
catalogue-about = Distilled images that hospitals share. Look at what each set is worth and what it gives away, then ask its owner for access.
catalogue-words = Words in title or summary
catalogue-class = Class
catalogue-organisation = Shared by
catalogue-verdict = Privacy
catalogue-terms = Terms
catalogue-accuracy = Accuracy of at least (%)
catalogue-images = Images at most
catalogue-any = any
catalogue-search = Search
catalogue-count = { $count ->
    [0] No release
    [one] One release
   *[other] { $count } releases
}
catalogue-all = Show all
catalogue-nothing = Nothing fits
catalogue-nothing-about = No release fits all that you ask for. Leave something out.
catalogue-empty = Nobody shares anything yet
catalogue-empty-about = As soon as an organisation releases distilled images, they are here for everybody who is signed in.
