using System.Security.Claims;
using System.Text;

namespace PoolApi.Tests.JobRoutes;

/// <summary>The same request has the same fingerprint, and no other request has it.</summary>
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
    public void It_is_the_same_for_the_same_request() =>
        Assert.Equal(Of("POST", "/v1/thumbnails", "?width=1", "image/png", "x"), Of("POST", "/v1/thumbnails", "?width=1", "image/png", "x"));

    [Fact]
    public void It_is_the_same_under_every_prefix_of_a_proxy() =>
        Assert.Equal(Of("POST", "/v1/thumbnails", "?width=1", "image/png", "x"), Of("POST", "/v1/thumbnails", "?width=1", "image/png", "x", prefix: "/thumbs"));

    [Fact]
    public void It_is_as_it_was_before_headers_counted_and_that_of_a_header_that_is_not_kept_does_not_count()
    {
        const string Before = "8D9F3D8B3153418C493A6FA2C0BDC2E5B480133A8DBB9F0A147ADE0E30011834";
        Assert.Equal(Before, Of("POST", "/v1/thumbnails", "?width=1", "image/png", "x"));
        Assert.Equal(Before, Of("POST", "/v1/thumbnails", "?width=1", "image/png", "x", "", ("X-C", ["1"])));
    }

    [Fact]
    public void It_is_another_for_another_user_and_the_same_for_one_whose_token_was_renewed()
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
    public void It_is_another_for_any_other_request_however_the_parts_are_cut()
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
