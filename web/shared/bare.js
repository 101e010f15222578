// A page with nothing but the frame.
import { openPage } from "./shell.js";
import { complain } from "./suite.js";

openPage().catch((error) => complain(error.message));
