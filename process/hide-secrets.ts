/** A text in which URLs have neither user, password nor query any more, which are where secrets stand. */
export function hideSecrets(text: string): string {
  return text.replaceAll(/(:\/\/)\S*@/g, '$1…@').replaceAll(/(:\/\/[^\s?]*\?)\S+/g, '$1…');
}
