using Microsoft.Extensions.Configuration;

IDistributedApplicationBuilder builder = DistributedApplication.CreateBuilder(args);

// The service as a program of this machine. Without the path, AddPoolApi("pool") starts the container image "poolapi".
var pool = builder.AddPoolApi("pool", builder.Configuration["Program"] ?? "../../published/PoolApi")
    .WithEnvironment("Pool__Workers", "2")
    .WithEndpoint("http", endpoint => endpoint.Port = builder.Configuration.GetValue("Port", 5005));

// The client starts once the service accepts requests. A project that calls the service uses WithReference(pool) instead of the address.
builder.AddExecutable("client", "curl", ".", "--silent", "--fail", "--output", "api.json", ReferenceExpression.Create($"{pool.GetEndpoint("http")}/openapi/v1.json"))
    .WaitFor(pool);

builder.Build().Run();
