using System.Security.Claims;
using System.Text;

namespace PoolApi.Tests.JobRoutes;

/// <summary>Equal requests have the same fingerprint, and different requests have different ones.</summary>
public class RequestFingerprintTests
{
    private static string Of(string method, string path, string query, string? type, string body, string prefix = "", params (string Name, string[] Values)[] headers)
    {
        var context = new DefaultHttpContext();
        context.Request.Method = method;
        context.Request.PathBase = prefix;
        context.Request.Path = path;
        context.Request.QueryString = new QueryString(query);
        context.Request.ContentType = type;
        foreach (var (name, values) in headers) context.Request.Headers[name] = values;
        byte[] print = RequestFingerprint.Of(context.Request, Encoding.UTF8.GetBytes(body), ["X-A", "X-B"]);
        Assert.Equal(32, print.Length);
        return Convert.ToHexString(print);
    }

    [Fact]
    public void Equal_requests_have_the_same_fingerprint() =>
        Assert.Equal(Of("POST", "/v1/thumbnails", "?width=1", "image/png", "x"), Of("POST", "/v1/thumbnails", "?width=1", "image/png", "x"));

    [Fact]
    public void The_fingerprint_does_not_depend_on_the_path_prefix_of_a_proxy() =>
        Assert.Equal(Of("POST", "/v1/thumbnails", "?width=1", "image/png", "x"), Of("POST", "/v1/thumbnails", "?width=1", "image/png", "x", prefix: "/thumbs"));

    [Fact]
    public void A_request_without_kept_headers_has_the_fingerprint_of_earlier_versions()
    {
        const string Before = "8D9F3D8B3153418C493A6FA2C0BDC2E5B480133A8DBB9F0A147ADE0E30011834";
        Assert.Equal(Before, Of("POST", "/v1/thumbnails", "?width=1", "image/png", "x"));
        Assert.Equal(Before, Of("POST", "/v1/thumbnails", "?width=1", "image/png", "x", "", ("X-C", ["1"])));
    }

    [Fact]
    public void The_fingerprint_depends_on_the_user_and_not_on_the_expiry_of_the_token()
    {
        string[] prints =
        [
            OfUser(null),
            OfUser(new ClaimsIdentity()),
            OfUser(new ClaimsIdentity([new Claim("sub", "1"), new Claim("exp", "100")], "jwt")),
            OfUser(new ClaimsIdentity([new Claim("sub", "2"), new Claim("exp", "100")], "jwt")),
            OfUser(new ClaimsIdentity([new Claim("sub", "1")], "cookie")),
            OfUser(new ClaimsIdentity([new Claim(ClaimTypes.Name, "1")], "jwt")),
        ];
        Assert.Equal(prints.Length, prints.Distinct().Count());
        Assert.Equal(prints[2], OfUser(new ClaimsIdentity([new Claim("sub", "1"), new Claim("exp", "200")], "jwt")));

        static string OfUser(ClaimsIdentity? user)
        {
            HttpRequest request = new DefaultHttpContext { Request = { Method = "POST", Path = "/a" } }.Request;
            return Convert.ToHexString(RequestFingerprint.Of(request, "x"u8, [], user is null ? null : new ClaimsPrincipal(user)));
        }
    }

    [Fact]
    public void Different_requests_have_different_fingerprints_even_if_their_parts_concatenate_to_the_same_text()
    {
        string[] prints =
        [
            Of("POST", "/a", "?b=1", "c/d", "e"),
            Of("PUT", "/a", "?b=1", "c/d", "e"),
            Of("POST", "/aa", "?b=1", "c/d", "e"),
            Of("POST", "/a", "?b=2", "c/d", "e"),
            Of("POST", "/a", "?b=1", "c/de", ""),
            Of("POST", "/a", "?b=1", "c/d", "ee"),
            Of("POST", "/a", "?b=1", "", "c/de"),
            Of("POST", "/a", "?b=1", null, "c/de"),
            Of("POST", "/a", "", "c/d", "e"),
            Of("POST", "/a?b=1", "", "c/d", "e"),
            Of("POST", "/a", "?b=1", "c/d", "e", "", ("X-A", ["1"])),
            Of("POST", "/a", "?b=1", "c/d", "e", "", ("X-A", ["2"])),
            Of("POST", "/a", "?b=1", "c/d", "e", "", ("X-A", ["1", "2"])),
            Of("POST", "/a", "?b=1", "c/d", "e", "", ("X-B", ["1"])),
            Of("POST", "/a", "?b=1", "c/d", "e", "", ("X-A", ["1"]), ("X-B", ["1"])),
            Of("POST", "/a", "?b=1", "c/d", "eX-A", "", ("X-B", ["1"])),
        ];
        Assert.Equal(prints.Length, prints.Distinct().Count());
    }
}
