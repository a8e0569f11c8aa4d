using Legacy;

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddFixedThreadPool("legacy", o => o.Workers = 8);

var app = builder.Build();
app.MapPoolHealth();                    // outside of /shop: the probes do not wait for the old code
app.UseFixedThreadPool("/shop");        // the one line: for every request under /shop, the middleware below runs on the pool

// The old pipeline, unchanged.
app.UseMiddleware<SessionMiddleware>();
app.Map("/shop/cart", cart => cart.Run(Cart.Show));
app.Run();
