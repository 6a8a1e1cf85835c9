// A real OpenID provider for tests: whoever types a name and any password has signed in.
// Arguments: port, JSON of {redirect, secret, groups: {name: [group…]}, inToken, jwks}.
import Provider from "../web/node_modules/oidc-provider/lib/index.js";

const [port, told] = [Number(process.argv[2]), JSON.parse(process.argv[3])];
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: "recorder",
      client_secret: told.secret,
      redirect_uris: [told.redirect],
      grant_types: ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"],
      response_types: ["code"],
    },
  ],
  claims: { openid: ["sub"], profile: ["preferred_username", "groups"] },
  conformIdTokenClaims: !told.inToken,
  features: { deviceFlow: { enabled: true } },
  pkce: { required: () => true },
  cookies: { keys: ["tests"] },
  ...(told.jwks ? { jwks: told.jwks } : {}),
  findAccount: (_, sub) => ({
    accountId: sub,
    claims: () => ({ sub: `id-of-${sub}`, preferred_username: sub, groups: told.groups[sub] ?? [] }),
  }),
});
provider.listen(port, "127.0.0.1", () => console.log("ready"));
