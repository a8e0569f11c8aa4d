using PoolApi.Jobs.AspNetCore;
using Worker;

// A worker service: no HTTP, a pool and durable jobs. Jobs that it accepted and did not finish run at the next start.
var builder = Host.CreateApplicationBuilder(args);
builder.Services.AddFixedThreadPool("reports", o => o.Workers = 2);
builder.Services.AddJobs()
    .UseSqlite(builder.Configuration["JobsFile"] ?? "data/jobs.db")
    .AddJob<Month>("report.monthly", (Month month, ILogger<Month> log, JobContext job, CancellationToken cancellation) => month.Build(log, job, cancellation));
builder.Services.AddHostedService<Planner>();           // after the pool, so that it stops before the pool does
builder.Build().Run();
