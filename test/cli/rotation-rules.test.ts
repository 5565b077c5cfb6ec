import {
	activationTime,
	isWaiting,
	mayActivate,
	mayRetire,
	retirementTime,
	withOldMarks,
} from "../../cli/rotation-rules";

const published = "x_custom_jwt_published";
const activated = "x_custom_jwt_activated";
const retirable = "x_custom_jwt_retirable";
const DELAYS = { cacheMaxAge: 3600, margin: 300 };
const NOW = 1_800_000_000;

test.each([
	["just published", { [published]: NOW }, true],
	["activated", { [published]: NOW, [activated]: NOW }, false],
	["replaced", { [published]: NOW, [retirable]: NOW }, false],
	["not published by this tool", {}, false],
	["another tool's, with iat of its own", { iat: NOW } as object, false],
])("a key that is %s waits to be activated: %j → %s", (_, times, waits) => {
	expect(isWaiting(times)).toBe(waits);
});

test.each([
	[
		"as soon as all backends have it",
		{ [published]: NOW - 3900 },
		{ allowed: true },
	],
	[
		"not a second before",
		{ [published]: NOW - 3899 },
		{ allowed: false, allowedAt: NOW + 1 },
	],
	[
		"not when nobody knows since when it is published",
		{},
		{ allowed: false, allowedAt: undefined },
	],
	[
		"when it signed before and has been replaced",
		{ [retirable]: NOW },
		{ allowed: true },
	],
	[
		"again after it was replaced, as long as it is published",
		{ [published]: NOW - 9000, [activated]: NOW - 5000, [retirable]: NOW },
		{ allowed: true },
	],
])("a key may be activated %s: %j", (_, times, permission) => {
	expect(mayActivate(times, DELAYS, NOW)).toEqual(permission);
});

test.each([
	[
		"when the last token it signed has expired",
		{ [retirable]: NOW },
		{ allowed: true },
	],
	[
		"not a second before",
		{ [retirable]: NOW + 1 },
		{ allowed: false, allowedAt: NOW + 1 },
	],
	[
		"not while it signs",
		{ [published]: 1, [activated]: 2 },
		{ allowed: false, allowedAt: undefined },
	],
])("a key may leave %s: %j", (_, times, permission) => {
	expect(mayRetire(times, NOW)).toEqual(permission);
});

test("a published key is activated no earlier than it may be, fractions of seconds included", () => {
	const allowedAt = activationTime(NOW + 0.2, DELAYS);
	expect(mayActivate({ [published]: NOW + 1 }, DELAYS, allowedAt)).toEqual({
		allowed: true,
	});
});

test("a replaced key stays for its longest token and the deployment", () => {
	expect(retirementTime(NOW + 0.1, [60, 1800], DELAYS)).toBe(NOW + 2101);
});

test("marks of version 0.2.0 get their names of today, and other members stay", () => {
	const jwk = { kty: "EC", kid: "a", iat: 1, nbf: 2, exp: 3 };
	expect(withOldMarks(jwk)).toEqual({
		kty: "EC",
		kid: "a",
		[published]: 1,
		[activated]: 2,
		[retirable]: 3,
	});
	const marked = { ...jwk, [published]: 4 };
	expect(withOldMarks(marked)).toEqual(marked);
});
