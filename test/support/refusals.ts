/** What a refusal, which is plain data, looks like in assertions; text is part of the message, or matches it. */

const saying = (message: string | RegExp) =>
	typeof message === "string"
		? expect.stringContaining(message)
		: expect.stringMatching(message);

/** A configuration that cannot be used; for `toThrow`. */
export const invalid = (message: string | RegExp = "") =>
	expect.objectContaining({
		isRefusal: true,
		status: 500,
		reason: "configuration",
		message: saying(message),
	});

/** A request that is rejected with 401; for `toThrow` and `toMatchObject`. */
export const unauthorized = (message: string | RegExp, reason?: string) =>
	expect.objectContaining({
		isRefusal: true,
		status: 401,
		message: saying(message),
		...(reason && { reason }),
	});
