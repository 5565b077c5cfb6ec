/** As many characters stay in one line on a phone of 320 pixels, beside what names them. */
const WHOLE = 22;

/**
 * Cuts a name, a route or a value where a line may break: before `/` and `@`, after `,`, `:`
 * and the end of a line, but not within `https://` or before a port.
 *
 * @returns its pieces in order, and whether each is short enough never to be broken
 * @example inPieces("/jwt/orders") // [{ text: "/jwt", isWhole: true }, { text: "/orders", isWhole: true }]
 */
export function inPieces(text: string): { text: string; isWhole: boolean }[] {
	return text
		.split(/(?<![:/])(?=\/)|(?=@)|(?<=[,\n])|(?<=:)(?![/\d])/)
		.map((piece) => ({
			text: piece,
			isWhole: piece.length <= WHOLE && !piece.includes("\n"),
		}));
}
