// In place of the package `punycode.js`, for markdown-it: the browser writes foreign host names as it must by itself.
const same = (name) => name;
export default { toASCII: same, toUnicode: same };
