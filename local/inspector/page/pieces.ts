/** As many characters stay in one line on a phone, beside the other columns. */
const WHOLE = 24;

/**
 * Cuts a claim's name, a route or a consumer where a line may break: before `/` and `@`.
 *
 * @param text one line
 * @returns its pieces in order, and whether each is short enough never to be broken
 * @example inPieces("/jwt/orders") // [{ text: "/jwt", isWhole: true }, { text: "/orders", isWhole: true }]
 */
export function inPieces(text: string): { text: string; isWhole: boolean }[] {
	return text
		.split(/(?=[/@])/)
		.map((piece) => ({ text: piece, isWhole: piece.length <= WHOLE }));
}
