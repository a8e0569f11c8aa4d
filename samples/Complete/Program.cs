using System.Security.Claims;
using Complete;
using Microsoft.AspNetCore.Authentication.Cookies;
using PoolApi.Jobs.AspNetCore;
using PoolApi.Threading;

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddFixedThreadPool("cpu", o => o.Workers = 8);      // returns a builder
builder.Services.AddJobs(o =>
    {
        o.Client = c => c.User.FindFirstValue("sub");                // the owner of a job
        o.Capture.User().Headers("X-Tenant");                        // what a stored request keeps in addition
    })
    .UseSqlite("data/jobs.db")                                       // or .UsePostgreSql(connectionString)
    .AddJob<Monthly>("report.monthly", (Monthly m, Reports r, JobContext job, CancellationToken t) => r.Build(m, job.Progress, t));

// The app's own: the services of its handlers, and its sign-in.
builder.Services.AddHttpContextAccessor();
builder.Services.AddSingleton<Reports>();
builder.Services.AddAuthentication(CookieAuthenticationDefaults.AuthenticationScheme).AddCookie(o => o.Cookie.SameSite = SameSiteMode.Strict);
builder.Services.AddAuthorization();

var app = builder.Build();
app.MapPost("/sign-in", ([AsParameters] SignIn form, IConfiguration settings) => form.IsRight(settings)
    ? Results.SignIn(new ClaimsPrincipal(new ClaimsIdentity([new Claim("sub", form.Name)], CookieAuthenticationDefaults.AuthenticationScheme)))
    : Results.Unauthorized()).DisableAntiforgery();

app.MapPost("/render", (Scene scene) => Render(scene)).RunOnPool();                       // synchronous, on the pool
app.MapPost("/users/{id:int}/report", (int id, Spec spec, Reports r, JobContext? job, CancellationToken t) => r.Build(id, spec, job?.Progress, t))
   .RunOnPool("cpu", o => o.Priority = WorkPriority.Low)
   .AllowJobs("report", o => o.MaxAttempts = 5);                                          // Prefer: respond-async → 202
app.MapPost("/monthly", async (IJobs jobs) => await jobs.EnqueueAsync(new Monthly(2026, 11), new() { IdempotencyKey = "2026-11" }));
app.MapJobs("/jobs").RequireAuthorization();
app.MapPoolDashboard("/ops/pools").RequireAuthorization();
app.Run();

static string Render(Scene scene) => scene.Draw();
