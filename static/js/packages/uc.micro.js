// In place of the package `uc.micro`, for markdown-it: classes of characters that the browser's own patterns know.
export const P = /\p{P}/u;
export const S = /\p{S}/u;
