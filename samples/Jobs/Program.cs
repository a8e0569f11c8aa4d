using JobsSample;

var builder = WebApplication.CreateSlimBuilder(args);
builder.Services.AddFixedThreadPool("cpu", o => o.Workers = 2);
builder.Services.AddJobs().UseSqlite(builder.Configuration["JobsFile"] ?? "data/jobs.db");

var app = builder.Build();
app.MapPost("/reports/{year:int}", Reports.Build).RunOnPool().AllowJobs("report", o => o.MaxAttempts = 5);
app.MapJobs("/jobs");
app.MapPoolHealth();
app.Run();
