// Every code that the API answers with, as a sentence that says what to do. tests/unit/image_resizer/test_words_of_errors.py holds the list.
export const WORDS = {
  // the address
  malformed_size: "The size has to be like 300x200, 300x or x200, with numbers from 1 to 99999.",
  unknown_option: "One of the options is unknown: cover, contain and inside are fits; avif, webp, jpeg, png and auto are formats.",
  repeated_option: "The options repeat or contradict each other: give one fit and one format at most.",
  malformed_key: "This cannot be the name of an original: no “..”, “//”, backslash or control character, no % before two hexadecimal digits, and at most 1,024 bytes.",
  unexpected_parameter: "The address has a parameter too many: in the name of an original & has to be written as %26, and ; as %3B.",
  ambiguous_key: "There are two originals whose names differ in a space and a + alone. Rename one of them.",
  bad_request: "The request cannot be answered as it is. Check the name for |, { and }, which have to be encoded.",
  not_found: "There is nothing at this address of the API.",
  method_not_allowed: "Only GET and HEAD are answered.",
  // signatures
  signature_missing: "This deployment makes variants for signed addresses alone (ImageSigning=true). Variants that exist already are shown.",
  signature_invalid: "The signature does not belong to this address. Sign exactly the options and the name that are asked for.",
  signature_expired: "The signature has expired. Sign the address again.",
  // the original
  original_not_found: "There is no original of this name in the bucket. Names are case-sensitive, and include the folders.",
  key_is_variant: "This name looks like a variant's: its first folder is a size. Store the original in another folder.",
  key_is_taken: "An object of somebody's has the name of this variant. It stays; choose another size or format, or move the object.",
  original_too_large: "The original has more bytes than the deployment allows (ImageMaxBytes). Upload a smaller one.",
  unsupported_format: "The original is not a JPEG, PNG, GIF, WebP or AVIF, whatever its name says. Convert it first.",
  empty: "The original is empty. Upload it again.",
  truncated: "The original is cut off: its upload ended early. Upload it again.",
  corrupt: "The original is damaged, and cannot be decoded. Export it again from its source.",
  too_many_pixels: "The original has more pixels than can be decoded safely. Make it smaller, and upload it again.",
  too_many_scans: "The original is a progressive JPEG with too many scans. Save it with usual settings.",
  metadata_too_large: "The original's metadata, such as its colour profile, is too large. Save it without.",
  too_many_frames: "The animation has too many frames. Shorten it, or convert it to a video.",
  too_many_parts: "The original has too many parts. Export it again from its source.",
  too_much_padding: "The original has too many bytes that mean nothing. Export it again from its source.",
  too_costly: "The original takes longer than a request may. Choose a smaller size or another format, or upload a smaller original.",
  too_large_for_format: "A WebP has at most 16,383 pixels in each direction. Choose AVIF, or a smaller size.",
  // in a moment
  original_changing: "The original is being replaced right now. Try again in a moment.",
  storage_busy: "The storage is busy. Try again in a moment.",
  storage_unreachable: "The storage does not answer. Try again in a moment.",
  throttled: "Too many new variants are asked for at once (ImageRequestsPerSecond). Try again in a moment.",
  out_of_time: "There was no time left to make the variant. Try again.",
  deadline: "The variant took too long to make. Try again, or choose a smaller size.",
  unavailable: "The variant could not be made just now. Try again in a moment.",
  // the deployment
  storage_refused: "The function may not use the bucket: an operator has to look at its role and at its log.",
  misconfigured: "The function's settings are wrong: an operator has to look at its log.",
  internal: "Something in the function failed: an operator has to look at its log.",
};

/** A sentence for an error of the API, with its code for whoever looks for it in the documentation. */
export function sentence({ code, message }) {
  return `${WORDS[code] ?? message} (${code})`;
}
