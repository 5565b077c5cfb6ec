import { Plugin } from "../../../plugins/x-custom-jwt";
import {
	lookedChannel,
	refusedChannel,
	signedChannel,
} from "../../../plugins/x-custom-jwt/diagnostics";
import type { KnownRequest } from "../../support/facts";
import { published, run, runOn } from "../../support/run";
import { anonymous, rawConfig, requests, service } from "../../support/samples";

describe("whoever counts is told", () => {
	test("of each signed token its algorithm, its size and how long it took", async () => {
		const action = () => run(requests.key);
		expect(await published(signedChannel, action)).toEqual([
			{
				alg: "ES256",
				seconds: expect.any(Number),
				bytes: expect.any(Number),
			},
		]);
		expect(await published(refusedChannel, action)).toEqual([]);
	});

	test("of each look for a token that may be given again, whether there was one", async () => {
		const plugin = new Plugin(rawConfig({ reuse_for: 60 }));
		const action = () => runOn(plugin, requests.key);
		expect(await published(lookedChannel, action)).toEqual([{ hit: false }]);
		expect(await published(lookedChannel, action)).toEqual([{ hit: true }]);
		const own = new Plugin(
			rawConfig({ reuse_for: 60, service_id: service.id }),
			{ ownInstance: true },
		);
		const short = () => runOn(own, requests.key);
		expect(await published(lookedChannel, short)).toEqual([{ hit: false }]);
		expect(await published(lookedChannel, short)).toEqual([{ hit: true }]);
		expect(await published(lookedChannel, () => run(requests.key))).toEqual([]);
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
