var builder = WebApplication.CreateBuilder(args);
builder.Services.AddControllers();
builder.Services.AddFixedThreadPool("io", o => o.Workers = 4);

var app = builder.Build();
app.MapControllers();
app.MapPoolHealth();
app.Run();
