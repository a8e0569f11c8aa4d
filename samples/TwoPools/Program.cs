using TwoPools;

// Work that computes and work that waits have different pools: a slow database cannot take the threads of the renderer.
// appsettings.json sizes both, in the sections "Pools:cpu" and "Pools:io".
var builder = WebApplication.CreateBuilder(args);
builder.Services.AddFixedThreadPool("cpu");             // the first one is also the default, for RunOnPool()
builder.Services.AddFixedThreadPool("io");

var app = builder.Build();
app.MapGet("/render/{size:int}", Work.Render).RunOnPool();
RouteGroupBuilder books = app.MapGroup("/books").RunOnPool("io");
books.MapGet("/", Work.List);
books.MapGet("/ping", () => "pong").RunOffPool();       // one endpoint of the group stays off the pool
app.MapPoolHealth();
app.MapPoolWorkers();                                   // /v1/workers: what each worker does now
app.Run();
