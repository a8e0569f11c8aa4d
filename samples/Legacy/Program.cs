using Legacy;

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddFixedThreadPool("legacy", o => o.Workers = 8);

var app = builder.Build();
app.MapPoolHealth();                    // outside of the path: the probes do not wait behind the old code
app.UseFixedThreadPool("/shop");        // the one line: what follows runs on the pool, for every request under /shop

// The old pipeline, as it was.
app.UseMiddleware<SessionMiddleware>();
app.Map("/shop/cart", cart => cart.Run(Cart.Show));
app.Run();
