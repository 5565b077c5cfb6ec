import {
	activationTime,
	isWaiting,
	mayActivate,
	mayRetire,
	retirementTime,
} from "../../cli/rotation-rules";

const DELAYS = { cacheMaxAge: 3600, margin: 300 };
const NOW = 1_800_000_000;

test.each([
	["just published", { iat: NOW }, true],
	["activated", { iat: NOW, nbf: NOW }, false],
	["replaced", { iat: NOW, exp: NOW }, false],
	["not published by this tool", {}, false],
])("a key that is %s waits to be activated: %j → %s", (_, times, waits) => {
	expect(isWaiting(times)).toBe(waits);
});

test.each([
	["as soon as all backends have it", { iat: NOW - 3900 }, { allowed: true }],
	[
		"not a second before",
		{ iat: NOW - 3899 },
		{ allowed: false, allowedAt: NOW + 1 },
	],
	[
		"not when nobody knows since when it is published",
		{},
		{ allowed: false, allowedAt: undefined },
	],
	[
		"when it signed before and has been replaced",
		{ exp: NOW },
		{ allowed: true },
	],
	[
		"again after it was replaced, as long as it is published",
		{ iat: NOW - 9000, nbf: NOW - 5000, exp: NOW },
		{ allowed: true },
	],
])("a key may be activated %s: %j", (_, times, permission) => {
	expect(mayActivate(times, DELAYS, NOW)).toEqual(permission);
});

test.each([
	[
		"when the last token it signed has expired",
		{ exp: NOW },
		{ allowed: true },
	],
	[
		"not a second before",
		{ exp: NOW + 1 },
		{ allowed: false, allowedAt: NOW + 1 },
	],
	[
		"not while it signs",
		{ iat: 1, nbf: 2 },
		{ allowed: false, allowedAt: undefined },
	],
])("a key may leave %s: %j", (_, times, permission) => {
	expect(mayRetire(times, NOW)).toEqual(permission);
});

test("a published key is activated no earlier than it may be, fractions of seconds included", () => {
	const allowedAt = activationTime(NOW + 0.2, DELAYS);
	expect(mayActivate({ iat: NOW + 1 }, DELAYS, allowedAt)).toEqual({
		allowed: true,
	});
});

test("a replaced key stays for its longest token and the deployment", () => {
	expect(retirementTime(NOW + 0.1, [60, 1800], DELAYS)).toBe(NOW + 2101);
});
