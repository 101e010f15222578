// Cognito's refusals as sentences, by the codes that its API reference names.

const FOR_PEOPLE = {
  AliasExistsException: "Another account has this address.",
  CodeDeliveryFailureException: "The mail with the code could not be sent. Check the address.",
  CodeMismatchException: "This is not the code. The newest mail has the one that counts.",
  ExpiredCodeException: "This code has expired. Ask for a new one.",
  ForbiddenException: "The request was blocked. Try again from another network.",
  InternalErrorException: "Something went wrong there. Try again in a moment.",
  InvalidParameterException: "Something is missing or malformed. Check what you entered.",
  LimitExceededException: "That was tried too often. Wait a quarter of an hour, then try again.",
  NotAuthorizedException: "This account cannot do that.",
  PasswordHistoryPolicyViolationException: "You have used this password before. Choose another one.",
  PasswordResetRequiredException: "The password has to be set anew. Ask for a code.",
  ResourceNotFoundException: "The sign-in of this deployment cannot be found. Publish the pages again.",
  TooManyFailedAttemptsException: "There were too many wrong codes. Wait a quarter of an hour, then ask for a new one.",
  TooManyRequestsException: "There are too many requests just now. Try again in a moment.",
  UserNotConfirmedException: "The address is not confirmed yet. Enter the code from the mail.",
  UserNotFoundException: "There is no account with this address.",
  UsernameExistsException: "There is an account with this address already. Sign in, or set a new password.",
};

/** A sentence for a refusal. */
export function refusal(code, message) {
  if (code === "InvalidPasswordException") {
    const reason = /policy: *(.+?)\.?$/i.exec(message ?? "")?.[1];
    return reason ? `Choose a stronger password: ${reason[0].toLowerCase()}${reason.slice(1)}.` : "Choose a stronger password, with at least 12 characters.";
  }
  if (code === "NotAuthorizedException" && /is CONFIRMED/.test(message ?? "")) return "This account is confirmed already. Sign in.";
  if (code === "offline") return "There is no connection. What you entered is still here; try again when you are online.";
  return FOR_PEOPLE[code] ?? "That did not work. Try again in a moment.";
}
