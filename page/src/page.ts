// All elements of the pages. What only some pages need (charts, the viewer of large pictures) is loaded there.
import "htmx.org/dist/htmx.min.js";
import "./time";
import "./forms";
import "./line";
import "./result";
import "./review";
import "./job";
import "./pictures";
import "./areas";
import "./correct";
import "./tryout";
import "./chart";
