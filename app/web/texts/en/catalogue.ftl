# The catalogue: what organisations share.
catalogue-title = Catalogue
catalogue-about = Distilled images that hospitals share. Check the utility and privacy of each set, then request access from its owner.
catalogue-words = Words in title or summary
catalogue-class = Class
catalogue-organisation = Shared by
catalogue-verdict = Privacy
catalogue-terms = Terms
catalogue-accuracy = Minimum accuracy (%)
catalogue-images = Maximum number of images
catalogue-any = any
catalogue-search = Search
catalogue-count = { $count ->
    [0] No release
    [one] One release
   *[other] { $count } releases
}
catalogue-all = Show all
catalogue-nothing = No matching release
catalogue-nothing-about = No release matches all your filters. Remove a filter.
catalogue-empty = No release yet
catalogue-empty-about = When an organisation releases distilled images, they appear here for everyone who is signed in.
