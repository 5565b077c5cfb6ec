import {
	refusedChannel,
	signedChannel,
} from "../../../plugins/x-custom-jwt/diagnostics";
import type { KnownRequest } from "../../support/facts";
import { published, run } from "../../support/run";
import { anonymous, requests } from "../../support/samples";

describe("whoever counts is told", () => {
	test("of each signed token its algorithm and how long it took", async () => {
		const action = () => run(requests.key);
		expect(await published(signedChannel, action)).toEqual([
			{ alg: "ES256", seconds: expect.any(Number) },
		]);
		expect(await published(refusedChannel, action)).toEqual([]);
	});

	test.each<[string, KnownRequest, object]>([
		["nobody_authenticated", anonymous, {}],
		["method_not_accepted", requests.key, { auth_methods: ["basic"] }],
		["no_client_id", requests.jwt, { bearer_clientid_claim: "azp" }],
		[
			"claim_refused",
			requests.key,
			{ strict_claims: true, subject: "$(headers.x-user)" },
		],
		[
			"payload_too_large",
			{ ...requests.key, body: "xx" },
			{ bind_request: true, max_request_body_size: 1 },
		],
		["no_audience", { ...requests.key, service: undefined }, {}],
		["wrong_instance", requests.key, { service_id: "other" }],
		["unexpected", { ...requests.key, failing: { consumer: 1 } }, {}],
	])("of a refused request that it was %s", async (reason, request, config) => {
		const action = () => run(request, config);
		expect(await published(refusedChannel, action)).toEqual([{ reason }]);
		expect(await published(signedChannel, action)).toEqual([]);
	});
});
