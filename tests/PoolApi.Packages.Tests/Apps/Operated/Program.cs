using System.Security.Claims;
using System.Text;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;

// An app that uses the packages: it has a sign-in of its own, a pool, jobs, and the dashboard for signed-in users.
var builder = WebApplication.CreateBuilder(args);
builder.Services.AddFixedThreadPool("cpu", o => o.Workers = 2);
builder.Services.AddJobs().UseSqlite(builder.Configuration["JobsFile"]!);
builder.Services.AddAuthentication("Basic").AddScheme<AuthenticationSchemeOptions, OperatorPassword>("Basic", null);
builder.Services.AddAuthorization();

var app = builder.Build();
app.MapPoolDashboard("/ops/pools", o => o.AllowedHosts.Add("127.0.0.1")).RequireAuthorization();
app.MapPost("/reports/{year:int}", (int year) => $"report of {year}").RunOnPool().AllowJobs("report");
app.MapJobs("/jobs").RequireAuthorization();

// The routes that the app has mapped, so that the test covers all of them.
app.MapGet("/routes", (EndpointDataSource endpoints) => endpoints.Endpoints.OfType<RouteEndpoint>().SelectMany(static endpoint =>
    (endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? []).Select(method => $"{method} /{endpoint.RoutePattern.RawText?.TrimStart('/')}")));
app.Run();

internal sealed class OperatorPassword(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory loggers, UrlEncoder encoder, IConfiguration settings)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, loggers, encoder)
{
    protected override Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        string expected = "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"operator:{settings["OperatorPassword"]}"));
        if (Request.Headers.Authorization != expected) return Task.FromResult(AuthenticateResult.NoResult());
        var user = new ClaimsPrincipal(new ClaimsIdentity([new Claim(ClaimTypes.Name, "operator")], Scheme.Name));
        return Task.FromResult(AuthenticateResult.Success(new AuthenticationTicket(user, Scheme.Name)));
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        Response.Headers.WWWAuthenticate = "Basic realm=\"operators\"";
        return base.HandleChallengeAsync(properties);
    }
}
