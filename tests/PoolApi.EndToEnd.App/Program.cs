using Microsoft.AspNetCore.Http.HttpResults;

// An app that uses the library, which tests start as a process. With "--AsksFor process" it calls AddPoolProcessLifetime().
WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(args);
if (builder.Configuration["AsksFor"] == "process") builder.Services.AddPoolProcessLifetime();
builder.Services.AddFixedThreadPool("cpu", static o => o.Workers = 1);

WebApplication app = builder.Build();
using var gate = new ManualResetEventSlim();
app.MapGet("/held", (CancellationToken cancellation) =>
{
    Console.WriteLine("A worker is held");
    gate.Wait(cancellation);
    return "released";
}).RunOnPool();
app.MapGet("/release", Ok () =>
{
    gate.Set();
    return TypedResults.Ok();
});
Environment.ExitCode = builder.Configuration.GetValue("ExitCode", 0);
app.Run();
