// In place of the package `linkify-it`, for markdown-it: bare addresses in a text are left as they are.
export class LinkifyIt {}
