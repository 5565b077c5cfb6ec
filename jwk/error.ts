/** A JWK, or a JWK Set, cannot be used. The message holds no value of a private member. */
export class JwkError extends Error {
	/**
	 * @param member path of the member at fault, e.g. `x5c/0`; empty for the whole
	 * @param fault what is wrong with it, e.g. `is missing`
	 * @param option name of the option of the import that does not fit the key, where that is at fault
	 */
	constructor(
		readonly member: string,
		fault: string,
		readonly option?: "active_kid" | "algorithm",
	) {
		super(member ? `${member} ${fault}` : fault);
	}
}
