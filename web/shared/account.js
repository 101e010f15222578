// Register, confirm, forgotten password: Cognito's user API by plain requests, which needs no library. Its refusals become
// sentences. The sign-in itself is Cognito's hosted page.
// https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_SignUp.html
import { refusal } from "./refusals.js";
import { element } from "./suite.js";

const EMAIL = "visit.email"; // in sessionStorage: whose account the forms are about
const PASSWORD_HINT = "At least 12 characters: a sentence is easy to remember.";

const FORMS = {
  register: {
    title: "Create an account", button: "Create the account", operation: "SignUp",
    fields: ["email", "newPassword"], next: "confirm",
    send: ({ email, password }) => ({ Username: email, Password: password, UserAttributes: [{ Name: "email", Value: email }] }),
    links: ["signin", "confirm", "forgot"],
  },
  confirm: {
    title: "Confirm your address", button: "Confirm", operation: "ConfirmSignUp",
    intro: "We sent a mail with a code to your address.",
    fields: ["email", "code"], next: "ready", resend: "ResendConfirmationCode",
    send: ({ email, code }) => ({ Username: email, ConfirmationCode: code }),
    links: ["signin", "register"],
  },
  forgot: {
    title: "Forgotten password", button: "Send a code", operation: "ForgotPassword",
    intro: "We send a code to your address, with which you set a new password.",
    fields: ["email"], next: "reset",
    send: ({ email }) => ({ Username: email }),
    links: ["signin", "register"],
  },
  reset: {
    title: "Set a new password", button: "Set the password", operation: "ConfirmForgotPassword",
    intro: "If there is an account with your address, a mail with a code is on its way.",
    fields: ["email", "code", "newPassword"], next: "ready", resend: "ForgotPassword",
    send: ({ email, code, password }) => ({ Username: email, ConfirmationCode: code, Password: password }),
    links: ["signin", "register"],
  },
  ready: { title: "Your account is ready", fields: [], links: [] },
};
const LINKS = { register: "Create an account", confirm: "Enter a code", forgot: "Forgotten password" };

// Which field a refusal is about.
const FIELD_OF = {
  UsernameExistsException: "email", UserNotFoundException: "email", CodeDeliveryFailureException: "email", AliasExistsException: "email",
  InvalidPasswordException: "password", PasswordHistoryPolicyViolationException: "password",
  CodeMismatchException: "code", ExpiredCodeException: "code", TooManyFailedAttemptsException: "code",
};

/** Call an operation of Cognito's that needs no credentials: null, or what it refused as `{ code, message }`. */
async function identity(config, operation, fields) {
  const response = await fetch(config.VisitorsIdentityUrl, {
    method: "POST",
    headers: { "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": `AWSCognitoIdentityProviderService.${operation}` },
    body: JSON.stringify({ ClientId: config.VisitorsUserPoolClientId, ...fields }),
  }).catch(() => null);
  if (!response) return { code: "offline" };
  if (response.ok) return null;
  const { __type: type = "", message } = await response.json().catch(() => ({}));
  return { code: type.split("#").pop(), message };
}

/** Whether there is such a form. */
export const isForm = (name) => Object.hasOwn(FORMS, name);

export const titleOf = (name) => FORMS[name].title;

/** A form's elements. `go(name)` shows another form, `signIn()` leaves for the sign-in. */
export function accountForm(name, config, { go, signIn }) {
  const { intro, fields, links } = FORMS[name];
  const made = intro ? [element("p", { className: "muted" }, intro)] : [];
  if (name === "ready") {
    made.push(element("p", {}, "Sign in with your address and your password."),
      element("div", { className: "actions" }, element("button", { type: "button", onclick: signIn }, "Sign in")));
  }
  if (fields.length) made.push(form(name, config, go));
  if (links.length) {
    made.push(element("div", { className: "actions others" }, ...links.map((link) => (link === "signin"
      ? element("button", { type: "button", className: "plain", onclick: signIn }, "Sign in")
      : element("button", { type: "button", className: "plain", onclick: () => go(link) }, LINKS[link])))));
  }
  return made;
}

function form(name, config, go) {
  const { button: text, operation, fields, next, send, resend } = FORMS[name];
  const inputs = {};
  const said = element("p", { className: "said", id: "said" });
  said.setAttribute("role", "alert");
  const submit = element("button", {}, text);
  const made = element("form", { className: "account", noValidate: true }, ...fields.flatMap((field) => FIELDS[field](inputs)), said,
    element("div", { className: "actions" }, submit));
  const say = (sentence, field, isGood) => {
    said.className = `said ${isGood ? "good" : "bad"}`;
    said.textContent = sentence;
    for (const [key, input] of Object.entries(inputs)) input.toggleAttribute("aria-invalid", key === field);
    for (const [key, input] of Object.entries(inputs)) if (key === field) input.setAttribute("aria-invalid", "true");
    if (field) inputs[field]?.focus();
  };
  if (resend) {
    made.querySelector(".actions").append(element("button", { type: "button", className: "plain", onclick: async () => {
      const wrong = missing({ email: inputs.email });
      if (wrong) say(...wrong);
      else {
        const refused = await identity(config, resend, { Username: values(inputs).email });
        if (refused) say(refusal(refused.code, refused.message), FIELD_OF[refused.code]);
        else say("A new code is on its way.", null, true);
      }
    } }, "Send a new code"));
  }
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (submit.disabled) return;
    const wrong = missing(inputs);
    if (wrong) {
      say(...wrong);
      return;
    }
    submit.disabled = true;
    say("");
    const given = values(inputs);
    sessionStorage.setItem(EMAIL, given.email);
    const refused = await identity(config, operation, send(given));
    submit.disabled = false;
    if (!refused) go(next);
    else if (refused.code === "UserNotConfirmedException") go("confirm");
    else say(refusal(refused.code, refused.message), FIELD_OF[refused.code]);
  });
  return made;
}

const values = (inputs) => Object.fromEntries(Object.entries(inputs).map(([key, input]) => [key, key === "password" ? input.value : input.value.trim()]));

/** What is wrong before anything is sent, as a sentence and its field; nothing if all is well. */
function missing(inputs) {
  const { email, code, password } = values(inputs);
  if ("email" in inputs && !/^[^\s@]+@[^\s@]+$/.test(email)) return ["Enter your address, such as ada@example.org.", "email"];
  if ("code" in inputs && !/^\d{6}$/.test(code)) return ["Enter the six digits of the code.", "code"];
  if ("password" in inputs && password.length < 12) return ["A password has at least 12 characters.", "password"];
  return null;
}

const FIELDS = {
  email: (inputs) => {
    inputs.email = element("input", { type: "email", id: "email", autocomplete: "username", required: true, maxLength: 128,
      value: sessionStorage.getItem(EMAIL) ?? "" });
    return [labelled("Email address", inputs.email)];
  },
  code: (inputs) => {
    inputs.code = element("input", { type: "text", id: "code", inputMode: "numeric", autocomplete: "one-time-code", required: true, maxLength: 6 });
    return [labelled("Code from the mail", inputs.code)];
  },
  newPassword: (inputs) => {
    inputs.password = element("input", { type: "password", id: "password", autocomplete: "new-password", required: true, maxLength: 99 });
    inputs.password.setAttribute("aria-describedby", "password-hint said");
    const show = element("input", { type: "checkbox", id: "show-password" });
    show.addEventListener("change", () => { inputs.password.type = show.checked ? "text" : "password"; });
    return [labelled("Password", inputs.password), element("p", { className: "muted hint", id: "password-hint" }, PASSWORD_HINT),
      element("label", { className: "check" }, show, "Show the password")];
  },
};

function labelled(text, input) {
  if (!input.hasAttribute("aria-describedby")) input.setAttribute("aria-describedby", "said");
  return element("label", { className: "field" }, text, input);
}
