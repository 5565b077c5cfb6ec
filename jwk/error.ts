/** What a text is that is not a usable JWK, where whoever gave it may want to know more. */
export type Form =
	/** Nothing at all. */
	| "empty"
	/** Neither JSON nor any of the other forms. */
	| "unknown"
	| "pem"
	/** An RSA key of `n`, `e` and `d` alone. */
	| "incomplete"
	/** A symmetric key whose `k` is perhaps the secret itself. */
	| "secret";

/** A JWK, or a JWK Set, cannot be used. The message holds no value of a private member. */
export class JwkError extends Error {
	/** Name of the option of the import that does not fit the key, where that is at fault. */
	readonly option: "select" | "alg" | undefined;
	readonly form: Form | undefined;

	/**
	 * @param member path of the member at fault, e.g. `x5c/0`; empty for the whole
	 * @param fault what is wrong with it, e.g. `is missing`
	 */
	constructor(
		readonly member: string,
		fault: string,
		{ option, form }: Partial<Pick<JwkError, "option" | "form">> = {},
	) {
		super(member ? `${member} ${fault}` : fault);
		this.option = option;
		this.form = form;
	}
}
