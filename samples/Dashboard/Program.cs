using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Authentication.Cookies;

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddFixedThreadPool("cpu", o => o.Workers = 2);

// The app's own sign-in. Any other works too: the dashboard is an ordinary endpoint.
builder.Services.AddAuthentication(CookieAuthenticationDefaults.AuthenticationScheme).AddCookie(o => o.Cookie.SameSite = SameSiteMode.Strict);
builder.Services.AddAuthorization(o => o.AddPolicy("operators", policy => policy.RequireRole("operator")));

var app = builder.Build();
app.MapGet("/hash/{rounds:int}", (int rounds) => Hash(rounds)).RunOnPool();
app.MapPoolDashboard("/ops/pools").RequireAuthorization("operators");
app.MapPost("/sign-in", (HttpContext context, [AsParameters] SignIn form, IConfiguration settings) => form.IsRight(settings["OperatorPassword"])
    ? Results.SignIn(new ClaimsPrincipal(new ClaimsIdentity([new Claim(ClaimTypes.Role, "operator")], CookieAuthenticationDefaults.AuthenticationScheme)))
    : Results.Unauthorized()).DisableAntiforgery();
app.Run();

static string Hash(int rounds)
{
    byte[] hash = [];
    for (int round = 0; round < rounds; round++) hash = SHA256.HashData(hash);
    return Convert.ToHexString(hash);
}

internal sealed class SignIn
{
    [Microsoft.AspNetCore.Mvc.FromForm(Name = "password")] public string Password { get; init; } = "";

    /// <summary>Whether the password is right. Without a password in the settings no sign-in succeeds.</summary>
    public bool IsRight(string? password) =>
        password is not null && CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(Password)), SHA256.HashData(Encoding.UTF8.GetBytes(password)));
}
