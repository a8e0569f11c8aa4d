using Pool_Service;

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddFixedThreadPool("cpu");             // settings in the section "Pools:cpu" of appsettings.json

var app = builder.Build();
app.MapGet("/work/{rounds:int}", Workload.Run).RunOnPool();
app.MapPoolHealth();                                    // /livez, /readyz, /startupz
app.Run();

/// <summary>Public, so that the tests can start the app.</summary>
public partial class Program;
