global using PoolApi.AspNetCore;
global using PoolApi.Consumers.Tests.Support;
global using PoolApi.Threading;
