// After a logout nothing stays on this computer of what was kept to work offline. Answers that were not sent yet do, and wait
// for the one who made them.

import { forgetOthers } from "./kept.js";
import { openStore } from "./store.js";

const LEFT = "left"; // as LOGOUT_REDIRECT_URL has it: a session that merely ended drops nothing

if (new URLSearchParams(location.search).has(LEFT)) forgetOthers(await openStore(), "");
