/** Whether a value is Kong's reference to a secret in a vault, `{vault://…}`. */
export function isVaultReference(value: unknown): value is string {
	return typeof value === "string" && /^\{vault:\/\/[^}]+\}$/.test(value);
}

/** Whether a value has something in it that decK fills in, `${{ env "DECK_…" }}`. */
export function isFilledIn(value: unknown): value is string {
	return typeof value === "string" && /\$\{\{.*\}\}/s.test(value);
}

/** Whether a text stands for another that is not to be seen here. */
export function isReference(value: unknown): value is string {
	return isVaultReference(value) || isFilledIn(value);
}
