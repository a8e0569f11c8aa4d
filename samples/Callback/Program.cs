using CallbackSample;
using StandardWebhooks;

// A client that sends a job names an address. When the job has ended, the app calls it (https://www.standardwebhooks.com).
// The call is a job too: it survives a restart, and is tried up to ten times, within some minutes.
var builder = WebApplication.CreateBuilder(args);
builder.Services.AddSingleton(new StandardWebhook(builder.Configuration["CallbackKey"] ?? throw new InvalidOperationException("Set CallbackKey: whsec_ and 24 random bytes in base64.")));
builder.Services.AddHttpClient("")                              // without redirects: an allowed host could redirect to any other
    .ConfigurePrimaryHttpMessageHandler(() => new SocketsHttpHandler { AllowAutoRedirect = false });
builder.Services.AddFixedThreadPool("cpu", o => o.Workers = 2);
builder.Services.AddFixedThreadPool("io", o => o.Workers = 8);  // a client's slow server takes no thread that computes
builder.Services.AddJobs()
    .UseSqlite(builder.Configuration["JobsFile"] ?? "data/jobs.db")
    .AddJob<Callback>("callback", Callback.SendAsync, o => o.MaxAttempts = 10, pool: "io");

var app = builder.Build();
app.MapPost("/reports/{year:int}", Reports.BuildAsync)
    .AddEndpointFilter(new AllowedHosts(app.Configuration["CallbackHosts"] ?? "localhost"))    // before the pool: it rejects before a job is stored
    .RunOnPool("cpu")
    .AllowJobs("report");
app.MapJobs("/jobs");
app.Run();
